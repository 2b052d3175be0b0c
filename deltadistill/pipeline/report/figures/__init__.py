"""The report's figures, one a file; each takes measurements and returns a matplotlib Figure."""
