"""Recipes: named agents, their hyper-parameters and their construction."""
