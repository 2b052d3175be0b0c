"""Objectives: what a distillation learns from, one file each; any of them can be weighted beside others."""
