"""Building a network that a file describes: no more values than the file has weights for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

_TIMES = 4  # teacher and both candidates are made, and builders make layers that they drop again
_SPARE = 10**7  # values in buffers that are in no file, and the 1000 ImageNet classes of torchvision's bodies


@contextmanager
def built_within(weights: int) -> Iterator[None]:
    """ValueError where the block makes many more tensor values than `weights`, before it takes the memory."""
    with _Counter(_TIMES * weights + _SPARE):
        yield


class _Counter(TorchDispatchMode):
    """Adds up what operators without a tensor as input make: empty, zeros, randn and the like."""

    def __init__(self, most: int):
        super().__init__()
        self._most, self._made = most, 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or PyTorch imports its compiler for this mode, which takes a second

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        device = (kwargs or {}).get("device")
        sizes = args[0] if args and isinstance(args[0], Sequence) else ()
        if (
            sizes
            and all(isinstance(size, int) for size in sizes)
            and getattr(device, "type", "cpu") != "meta"
        ):
            self._made += prod(sizes)
            if self._made > self._most:
                raise ValueError(f"it asks for more than {self._most} values, far more than the file has")
        return func(*args, **(kwargs or {}))
