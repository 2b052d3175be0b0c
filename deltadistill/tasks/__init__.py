"""Tasks: batch to loss, output to prediction, prediction to metric."""
