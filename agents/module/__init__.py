"""Oracle over any torch module."""
