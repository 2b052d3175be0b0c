"""Processes: one per GPU, started together; sums over them; how their threads wait for each other."""
