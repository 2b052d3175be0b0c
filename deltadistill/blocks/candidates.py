"""The two candidates of a converted block (§3.2), as files and choices name them."""

UNCOMPRESSED, COMPRESSED = "uncompressed", "compressed"
DECISION = "decision"  # name in state dicts of undeployed blocks; the number is an index into the next line
DECISIONS = (None, UNCOMPRESSED, COMPRESSED)
