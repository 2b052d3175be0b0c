"""Training: the loop, its checkpoints, and the two trainings that use it."""
