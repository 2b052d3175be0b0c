"""Preparation: Cityscapes, ImageNet VID, COCO video, masks, videos or made clips, to one prepared data set."""
