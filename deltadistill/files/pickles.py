"""What a pickle in a file of weights would do, read without doing it."""

import pickletools
from mmap import mmap
from typing import Any, BinaryIO

from deltadistill.files.limits import MOST_PICKLE_BYTES

# What the tensors, mappings and settings of a network are made of; all else that PyTorch's reader would call
# can take any amount of memory.
_NEEDED = {
    "collections OrderedDict",
    "torch Size",
    "torch device",
    "torch.nn.parameter Parameter",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_tensor",
    "torch._utils _rebuild_tensor_v2",
    "torch.serialization _get_layout",
}
_TYPES = {
    "torch float32", "torch float64", "torch float16", "torch bfloat16",
    "torch int8", "torch int16", "torch int32", "torch int64", "torch uint8", "torch bool",
}  # fmt: skip
_STORAGES = {
    f"torch {name}Storage"
    for name in ("Float", "Double", "Half", "BFloat16", "Char", "Short", "Int", "Long", "Byte", "Bool")
}
_OTHER_CALLS = ("INST", "OBJ", "NEWOBJ_EX", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4")
_CALLED = frozenset(_NEEDED | _TYPES | _STORAGES)
_WHOLE = ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG")


class RefusedError(ValueError):
    """What a file of weights holds that an honest one does not, in words."""


def check_pickle(file: BinaryIO | mmap, *, most_values: int | None) -> None:
    """Read one pickle to its end; RefusedError for what no mapping of tensors and plain values needs.

    most_values: of all its tensors together; None where something else compares them with what is there.
    """
    start, announced = file.tell(), _Announced(most_values)
    for code, argument, place in pickletools.genops(file):
        if code.name == "GLOBAL" and argument not in _CALLED:
            raise RefusedError(
                f"it holds more than tensors and plain values: {argument.replace(' ', '.')}; what could run "
                "code or take any memory is not loaded"
            )
        if code.name in _OTHER_CALLS:
            raise RefusedError(f"it calls by {code.name}, which torch.save does not write")
        if place - start > MOST_PICKLE_BYTES:
            raise RefusedError(f"its description of tensors has more than {MOST_PICKLE_BYTES} bytes")
        if most_values is not None:
            announced.see(code.name, argument)


class _Announced:
    """Adds up the values that tensors are said to have.

    They are announced as MARK, "storage", type, key, place, count, TUPLE, BINPERSID in a row. A pickler
    remembers words to refer to them later, but no whole numbers, so the count always stands there itself.
    """

    def __init__(self, most: int | None):
        self._most = most
        self._counts: dict[tuple[str, ...], int] = {}  # the same values may be announced again
        self._words: list[str] = []
        self._largest, self._before = 0, ""

    def see(self, name: str, argument: Any) -> None:
        """Take the next instruction."""
        if "PUT" in name or name == "MEMOIZE":
            if self._before in _WHOLE:
                raise RefusedError("it remembers a number, which torch.save does not")
            return
        if name == "MARK":
            self._words, self._largest = [], 0
        elif name == "BINPERSID":
            self._add()
        elif name in _WHOLE:
            self._largest = max(self._largest, argument)
        elif argument is not None:
            self._words.append(f"{name} {argument}")
        self._before = name

    def _add(self) -> None:
        if self._before != "TUPLE":
            raise RefusedError("it announces values otherwise than torch.save")
        self._counts[tuple(self._words)] = self._largest
        if sum(self._counts.values()) > self._most:
            raise RefusedError(f"its tensors are said to have more values than its {self._most} bytes hold")
