"""The report of a sweep: all its settings side by side."""
