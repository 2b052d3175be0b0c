"""Tasks: batch to loss, output to prediction, prediction to metric."""

from deltadistill.tasks.segmentation import Segmentation

__all__ = ["Segmentation"]
