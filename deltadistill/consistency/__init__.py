"""Temporal consistency: how well successive predictions agree along the motion of the scene."""
