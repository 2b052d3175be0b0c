"""Online distillation: a student that learns from a teacher while a video runs."""
