"""Distillation: what students learn from the teacher, the search over candidates, and both trained."""
