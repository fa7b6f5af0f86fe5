"""Specs that come with neucb, and the studies behind the numbers in results/."""
