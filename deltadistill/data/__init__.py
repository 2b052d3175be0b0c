"""Data: one manifest per data set, whatever it came from, and the batches a training draws from it."""
