"""Labels for frames that have none, from any network that segments."""
