"""Built-in sweep specs, and the studies behind the numbers in results/."""
