"""Preparation: Cityscapes, ImageNet VID, COCO video, masks, video or made clips, to one prepared data set."""
