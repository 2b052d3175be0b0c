"""What a generated street consists of: ground, walls, things, light; plain values, drawn once per clip."""

from dataclasses import dataclass, field

ROAD, SIDEWALK, BUILDING, POLE, SIGN, VEGETATION, SKY, PERSON, CAR = 7, 8, 11, 17, 20, 21, 23, 24, 26

Colour = tuple[float, float, float]


class Materials:
    """Colours and label ids, collected while a scene is drawn; a pixel stores an index into them."""

    def __init__(self):
        self.colours: list[Colour] = []
        self.labels: list[int] = []

    def add(self, colour: Colour, label: int) -> int:
        """The index of a new material."""
        self.colours.append(colour)
        self.labels.append(label)
        return len(self.colours) - 1


@dataclass(frozen=True)
class Thing:
    """A rigid object that may move: `size` is (width along x, height, length along z) in metres.

    `kind` is car, person, pole, sign or tree; `materials` are its parts, in the order its renderer expects.
    """

    kind: str
    x: float
    z: float
    velocity: tuple[float, float]  # metres per frame along x and z
    size: tuple[float, float, float]
    materials: tuple[int, ...]
    grain: float  # where in the noise its surface begins

    def position(self, frame: int) -> tuple[float, float]:
        """Its (x, z) at a frame."""
        return self.x + self.velocity[0] * frame, self.z + self.velocity[1] * frame


@dataclass(frozen=True)
class Ground:
    """The flat street: half-open bands between the x limits, and a crossing street between two z."""

    road: tuple[float, float]
    walk: tuple[float, float]  # outer limits of the sidewalks
    crossing: tuple[float, float]
    materials: tuple[int, int, int, int]  # road, sidewalk, verge, lane marking
    slab: float  # metres between the joints of the sidewalk


@dataclass(frozen=True)
class Walls:
    """What lines the street: per side (left, right) and segment a kind, height and material."""

    x: tuple[float, float]
    segment: float  # metres along z
    hedge: tuple[tuple[bool, ...], tuple[bool, ...]]
    height: tuple[tuple[float, ...], tuple[float, ...]]
    materials: tuple[tuple[int, ...], tuple[int, ...]]
    window: tuple[float, float]  # metres between windows along z, and storey height
    light: tuple[float, float]  # added brightness per side


@dataclass(frozen=True)
class Light:
    """Haze, brightness and its drift over the clip, and the colour that it gives to everything."""

    haze: float  # metres at which haze hides half
    gain: float
    drift: float  # relative change per frame
    flicker: tuple[float, float, float]  # amplitude, turns per frame, start
    sky: Colour
    tint: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Scene:
    """Everything but the camera."""

    ground: Ground
    walls: Walls
    light: Light
    things: tuple[Thing, ...]
    sky_material: int
    hill_material: int
    hills: tuple[float, float, float, float]  # base height, amplitude, waves per unit of dx/dz, start
    materials: Materials = field(repr=False)
