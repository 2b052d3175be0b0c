"""Where a single-stage detector's anchors lie: a plain description that a network carries with it."""

from dataclasses import dataclass

Shape = tuple[float, float]
SHAPES: tuple[Shape, ...] = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))  # as EfficientDet was published with


@dataclass(frozen=True)
class AnchorLayout:
    """Anchors of every pyramid level, whose stride is 2 to the level.

    `image_size` (height, width) in pixels. Per position there is an anchor for each of `octaves` sizes
    between one level and the next, and each of `shapes`, (width, height) relative to that size. The smallest
    is `scale` strides long.
    """

    image_size: tuple[int, int]
    scale: float = 4.0
    levels: tuple[int, int] = (3, 7)
    octaves: int = 3
    shapes: tuple[Shape, ...] = SHAPES

    def __post_init__(self):
        wrong = [shape for shape in self.shapes if len(shape) != 2 or not min(shape) > 0]
        if wrong or not self.shapes:
            raise ValueError(f"anchor shapes are {self.shapes}; expected pairs (width, height) above 0")

    @property
    def per_position(self) -> int:
        """Anchors at each position of a level."""
        return self.octaves * len(self.shapes)

    @property
    def level_sizes(self) -> list[tuple[int, int]]:
        """(height, width) of every level's map."""
        first, last = self.levels
        height, width = self.image_size
        return [(-(-height // 2**level), -(-width // 2**level)) for level in range(first, last + 1)]
