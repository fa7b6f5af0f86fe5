"""Linear oracle, its covariance and its feature maps."""
