"""Preparation: Cityscapes, VID, COCO, masks, video or made clips to a data set, and labels where none are."""
