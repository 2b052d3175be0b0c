"""Predictors: ways to answer every frame of a video, behind one protocol."""
