"""Metrics: scores of predictions over frames, and the counts that they are made of."""
