"""Data sources: the catalogue, bundled sets, downloads, fingerprints."""
