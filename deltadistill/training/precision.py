"""Mixed precision: the network's passes in fewer bits, losses and weights in float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_map

from deltadistill.forward.half_precision import in_single_precision
from deltadistill.processes.group import PROCESSOR

_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_FIRST_SCALE = 2.0**16


@dataclass(frozen=True)
class Precision:
    """Precision `name` on a device: "float32" leaves every tensor as it is."""

    name: str = "float32"
    device: torch.device = PROCESSOR

    def __post_init__(self):
        if self.name != "float32" and self.name not in _TYPES:
            raise ValueError(
                f"precision {self.name!r} is unknown; allowed: 'float32', {', '.join(map(repr, _TYPES))}"
            )
        if self.name == "float16" and self.device.type != "cuda":
            raise ValueError(
                "precision float16 needs a GPU, and none is used here; set it to bfloat16 or float32"
            )

    @contextmanager
    def passes(self) -> Iterator[None]:
        """Inside, convolutions and matrix products compute in this precision.

        Weights are cast anew in every call: PyTorch would keep those cast in a pass without gradient, and a
        pass with gradient after it would learn nothing.
        """
        if self.name == "float32":
            yield
            return
        with torch.autocast(self.device.type, _TYPES[self.name], cache_enabled=False):
            yield

    def outputs(self, output: Any) -> Any:
        """Any tree of tensors that a pass returned, as losses take it."""
        return output if self.name == "float32" else tree_map(in_single_precision, output)

    def scaler(self) -> torch.amp.GradScaler:
        """What keeps the small gradients of float16 above zero; does nothing in other precisions."""
        return torch.amp.GradScaler(self.device.type, init_scale=_FIRST_SCALE, enabled=self.name == "float16")
