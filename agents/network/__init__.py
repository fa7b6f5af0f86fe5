"""Network oracle: layers, training, perturbations, gradient norms."""
