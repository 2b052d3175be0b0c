"""What is checked before an experiment runs (workflow/check_experiment.py)."""
