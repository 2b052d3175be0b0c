"""Accuracy and cost of a variant at every sequence length T, and examples of what it predicts."""
