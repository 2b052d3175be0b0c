"""How any network is run on frames: its modes, its precision, what it returns, and the axes of clips."""
