"""Linear oracle, its covariances and its feature maps."""
