"""Sweeps: a list of parameter settings as one graph of DVC stages (docs/pipeline.md)."""
