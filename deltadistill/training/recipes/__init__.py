"""Trainings put together from the sections of params.yaml: what all share, and per-frame networks."""
