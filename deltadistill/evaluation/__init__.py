"""Evaluation: how right and how consistent networks and predictors are over a data set."""
