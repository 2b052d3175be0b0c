"""MACs of optical flow and of moving things along it, by a stated convention: what rivals of networks cost.

A bilinear sample is 4 MACs; picking the nearest value is a copy and none. Additions alone (box filters,
medians) count nothing, as in networks. DIS (Kroeger et al., 2016) counts, from the settings that OpenCV's
object has: per level of its pyramid, from the finest it solves upwards, every patch with all its steps of
gradient descent, 6 per pixel and step (a sample, and the product with both gradients); what patches vote for
each pixel, 6 each; and per step of the variational refinement 5 steps of relaxation of 10 per pixel. Patches
that stop early cost less than this.
"""

from cv2 import DISOpticalFlow

BILINEAR = 4
_PATCH_STEP, _VOTE, _RELAXATION = 6, 6, 5 * 10
_LEVELS = 4 / 3  # all levels of a pyramid over its finest


def dis_macs(dis: DISOpticalFlow, height: int, width: int) -> int:
    """MACs of one flow between pictures of this size."""
    pixels = height * width / 4 ** dis.getFinestScale() * _LEVELS
    size, stride = dis.getPatchSize(), dis.getPatchStride()
    patches = size**2 / stride**2 * (_PATCH_STEP * dis.getGradientDescentIterations() + _VOTE)
    return round(pixels * (patches + _RELAXATION * dis.getVariationalRefinementIterations()))
