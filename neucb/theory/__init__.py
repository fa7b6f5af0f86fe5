"""Theory beside practice: growth laws, bounds, kernels and what is best in hindsight."""
