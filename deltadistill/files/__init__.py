"""Files: read within bounds and without running code, written whole or not at all, locked."""
