"""Recipes: named agents, their hyper-parameters, and how they are built."""
