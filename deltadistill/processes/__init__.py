"""Processes: one per GPU, started together; sums over them."""
