"""Execution of the batches of a sweep: processes, memory and progress."""
