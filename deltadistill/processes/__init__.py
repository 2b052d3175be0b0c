"""Processes: one per GPU, started together, summed over, and resumed where they were interrupted."""
