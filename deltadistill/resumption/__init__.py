"""Resumption: long work that is interrupted, by whatever, goes on where it was."""
