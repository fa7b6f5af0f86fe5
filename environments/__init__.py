"""Environments: tables of classification data, their encodings, and the bandits made of them."""
