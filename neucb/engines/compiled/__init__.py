"""Compiled engine: agents of the recipes, each replica a loop in machine code."""
