"""Results on disk: batches, locks, and readers of results."""
