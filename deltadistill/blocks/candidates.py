"""The two candidates of a converted block (§3.2), as files and choices name them."""

UNCOMPRESSED, COMPRESSED = "uncompressed", "compressed"
CANDIDATES = (UNCOMPRESSED, COMPRESSED)
RULE = "rule"  # the choice of a block without candidates: its rule alone
DECISION = "decision"  # name in state dicts of undeployed blocks; the number is an index into the next line
DECISIONS = (None, UNCOMPRESSED, COMPRESSED)
