"""What a student of a whole block costs beside its teacher, on a small map without storage."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deltadistill.blocks.mirror import NoMirrorError, input_channels
from deltadistill.forward.modes import copy_with_modes

PROBE = 64  # pixels; only ratios and divisibility are read off a map of this size
_FEWEST_DELTA_FRAMES = 2  # per key frame: of the shortest sequence that is of use, T = 3


@torch.no_grad()
def cost_ratio(teacher: nn.Module, costs: Callable[[Tensor, Tensor], tuple[int, int]]) -> float:
    """MACs that a student adds per delta frame over the teacher's.

    costs: says of an input and the teacher's output, without values, the MACs that the student adds to a key
        frame and those of a delta frame. The former are spread over the delta frames of the shortest useful
        sequence.
    """
    teacher = copy_with_modes(teacher).to("meta").eval()
    dtype = next(teacher.parameters()).dtype
    x = torch.empty(1, input_channels(teacher), PROBE, PROBE, device="meta", dtype=dtype)
    key, delta = costs(x, teacher(x))
    return (delta + key / _FEWEST_DELTA_FRAMES) / macs_of(lambda: teacher(x))


def reason_against(module: nn.Module, ratio: Callable[[nn.Module], float]) -> str | None:
    """Why a student of a module cannot be, or should not as it is dearer than its teacher; None where it can.

    ratio: builds the student of a module without values, and returns its `cost_ratio`.
    """
    if not list(module.parameters()):
        return f"{type(module).__name__} has no parameters"
    try:
        found = ratio(copy_with_modes(module).to("meta"))
    except NoMirrorError as error:
        return str(error)
    return f"student dearer than its teacher ({found:.2f} times the MACs over T = 3)" if found >= 1 else None


def macs_of(run: Callable[[], Any]) -> int:
    """Count the MACs of convolutions and matrix products that `run` computes."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2
