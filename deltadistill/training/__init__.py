"""Training: the loop, its checkpoints and all that every training shares, and the per-frame training."""
