"""Row orders: one module each; `registry.py` has one row each."""
