"""Names and shapes of the tensors in the public checkpoints, one a line (keys/)."""

from pathlib import Path

KEYS = Path(__file__).parent / "keys"
DDRNETS = {"ddrnet23_slim": "ddrnet-23s.txt", "ddrnet23": "ddrnet-23.txt", "ddrnet39": "ddrnet-39.txt"}
HRNET = "hrnet-w18-small.txt"
EFFICIENTDET = "efficientdet_d0.txt"
DELTA_DISTILLED = "ddrnet-23s.delta.txt"


def read_shapes(name):
    """Shape by tensor name; a number has the shape ()."""
    lines = (line.split(" ") for line in (KEYS / name).read_text().splitlines() if line)
    return {key: tuple(int(n) for n in shape.split("x") if n) for key, shape in lines}
