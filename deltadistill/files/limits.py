"""The most that a file from elsewhere may ask for, each far above what honest files need.

They keep a small crafted or damaged file from filling memory or disk. To read a larger honest file, raise
the number here.
"""

MIB = 2**20

# 8K video has 2^25 pixels a frame, the largest Cityscapes picture 2^21. Decoded RGB: 192 MiB.
MOST_PIXELS = 2**26
# A picture file that stores such pixels without compression, 16 bits a channel with transparency.
MOST_PICTURE_BYTES = 8 * MOST_PIXELS + MIB

# A manifest row has about 250 bytes with absolute paths: room for two million frames (ImageNet VID has one).
MOST_TABLE_BYTES = 512 * MIB
# COCO-style JSON has about 250 bytes an image and 200 an object; ImageNet VID as such has 0.6 GiB.
MOST_ANNOTATION_BYTES = 4096 * MIB
# An annotation of one picture as XML: about 400 bytes an object.
MOST_XML_BYTES = MIB
# The longest result file of the committed experiments has 0.1 MiB.
MOST_JSON_BYTES = 64 * MIB
# Frames of one clip, at 30 a second: nine hours. A manifest is checked for gaps up to its highest index.
MOST_CLIP_FRAMES = 10**6

# params.yaml has 10 KiB and 400 values; anchors count as often as they are referred to.
MOST_YAML_BYTES = MIB
MOST_YAML_VALUES = 50_000
MOST_YAML_DEPTH = 50

# What describes the tensors in a file of weights: about 150 bytes a tensor, the published networks have
# up to 1,000.
MOST_PICKLE_BYTES = 32 * MIB
