"""Playing the batches of a sweep: processes, memory, progress."""
