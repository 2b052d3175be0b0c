"""What an engine is: a delta network as two functions, of a key frame and of a later frame.

The functions keep nothing between two calls. What a delta frame needs of its key frame, the maps, is a flat
dictionary of tensors by name, so that a runtime can hold it in memory of its own, and several videos can take
turns.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from deltadistill.runtime.registry import ENGINES

Maps = Mapping[str, Tensor]


class Running(Protocol):
    """A delta network made ready for frames of one shape (N, C, H, W)."""

    def key(self, frame: Tensor) -> tuple[Any, Maps]:
        """The network's outputs for a key frame, in the form that it returns them, and the maps."""

    def delta(self, frame: Tensor, maps: Maps) -> Any:
        """The outputs for a later frame, from the maps of its key frame, which stay as they are."""


class Engine(Protocol):
    """Makes a delta network ready; an entry of ENGINES, or a user's own as package.module:name."""

    def __call__(self, network: nn.Module, example: Tensor) -> Running:
        """network: converted, in evaluation mode. example: frames (N, C, H, W) as they will come.

        Raises ValueError for a network or frames that the engine does not run.
        """


def load(network: nn.Module, example: Tensor, *, engine: str = "eager") -> Running:
    """Make a delta network ready by the engine of this name; ValueError for a name that is not known."""
    found: Engine = ENGINES.find(engine)
    return found(network, example)
