"""Results on disk: batches, locks, reading them back."""
