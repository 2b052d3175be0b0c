"""Evaluation: networks and variants over the frames and clips of a data set."""
