"""The figures of an experiment: read from what its stages left, compared, and judged."""
