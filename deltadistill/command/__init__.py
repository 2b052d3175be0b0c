"""The console script deltadistill: a file for each command, none of which needs torch to show its help."""
