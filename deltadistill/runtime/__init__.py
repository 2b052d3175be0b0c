"""Engines: how the two functions of a delta network are run."""
