"""Theory of regret: growth laws, bounds, neural tangent kernels and best-in-class fits."""
