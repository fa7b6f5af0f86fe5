"""OpenML: client, cache, descriptions, data files."""
