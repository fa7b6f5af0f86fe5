"""Compiled engine: recipes' agents, each replica a compiled loop over all rounds."""
