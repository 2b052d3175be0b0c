"""Processes: one per GPU, started together, summed over, resumed; how threads wait for each other."""
