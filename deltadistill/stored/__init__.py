"""Networks as files: weights, architecture, and all that is needed to build them again."""
