"""How pictures of any size become the pixels that a runner's graphs take; the graphs do the rest."""

from dataclasses import dataclass

FITS = ("stretch", "letterbox", "crop")
ORDERS = ("rgb", "bgr")


@dataclass(frozen=True)
class PictureForm:
    """Pictures (H, W, 3) of 8 bits in the order red, green, blue, as a network of vision wants them.

    size: height and width that the network takes, pixels. fit: how a picture of another shape gets there:
        "stretch" ignores its proportions, "letterbox" keeps them and fills up at the right and below,
        "crop" keeps them and cuts off what is too much on both sides.
    order: of the network's channels. scale: what 8-bit values are multiplied by first.
    mean, deviation: per channel in the network's order, after scaling: (scale · picture − mean) / deviation.
    """

    size: tuple[int, int]
    fit: str = "stretch"
    order: str = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise ValueError(f"fit {self.fit!r} is unknown; allowed: {', '.join(FITS)}")
        if self.order not in ORDERS:
            raise ValueError(f"order {self.order!r} is unknown; allowed: {', '.join(ORDERS)}")
        if len(self.size) != 2 or any(type(side) is not int or side < 1 for side in self.size):
            raise ValueError(f"size {self.size!r} must be two whole numbers: height and width, pixels")
        if len(self.mean) != 3 or len(self.deviation) != 3 or not all(value > 0 for value in self.deviation):
            raise ValueError(
                f"mean {self.mean!r} and deviation {self.deviation!r} must have three numbers each, and the "
                "deviation must be above 0"
            )
