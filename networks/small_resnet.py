"""An example of a classifier of one's own: a few of torchvision's residual blocks, for small frames."""

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock


def build(*, classes: int, width: int = 16, blocks: int = 1, stem_stride: int = 2) -> nn.Module:
    """Build the network with random weights.

    width: channels of the first of three stages, doubled with each. blocks: residual blocks of a stage.
    stem_stride: of the first convolution.
    """
    return SmallResNet(classes, width, blocks, stem_stride)


class SmallResNet(nn.Module):
    """A stem, by default at half the size, three stages, the mean over the frame, and a linear layer."""

    def __init__(self, classes: int, width: int, blocks: int, stem_stride: int):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=stem_stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.stages = nn.Sequential(
            *(_stage(width * max(1, 2**n // 2), width * 2**n, blocks, stride=1 + (n > 0)) for n in range(3))
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (N, 3, H, W) to logits (N, classes)."""
        return self.head(self.stages(self.stem(frames)).mean((2, 3)))


def _stage(inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    shortcut = None
    if stride > 1 or inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
    first = BasicBlock(inputs, outputs, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(blocks - 1)))
