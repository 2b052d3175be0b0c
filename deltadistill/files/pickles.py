"""What a pickle in a file of weights would do, read without doing it."""

import pickletools
import sys
from mmap import mmap
from typing import Any, BinaryIO

from deltadistill.files.limits import MOST_PICKLE_BYTES
from deltadistill.files.stand_ins import is_harmless, name_today

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
_MODULES_OF_PYTHON_2 = ("__builtin__", "copy_reg", "commands")
_WHOLE = ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG")


class RefusedError(ValueError):
    """What a file of weights holds that an honest one does not, in words."""


class RefusedCallsError(RefusedError):
    """What a file of weights would call that weights do not need. `names`: dotted, in the file's order."""

    def __init__(self, names: list[str]):
        self.names = names
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        super().__init__(
            f"it holds more than tensors and plain values: {shown}; what could run code or take any memory "
            "is not loaded"
        )

    @property
    def may_be_honest(self) -> bool:
        """Whether all of it may be classes of the program that wrote the file."""
        roots = {name.split(".")[0] for name in self.names if not name.startswith("torch.nn.")}
        return not roots & {*sys.stdlib_module_names, *_MODULES_OF_PYTHON_2, "torch"}

    @property
    def is_network(self) -> bool:
        """Whether it is a network as an object, not its tensors by name."""
        return any(name.startswith("torch.nn.modules.") for name in self.names)


def check_pickle(file: BinaryIO | mmap, *, most_values: int | None, settings: bool = False) -> set[str]:
    """Read one pickle to its end; RefusedError for what no mapping of tensors and plain values needs.

    most_values: of all its tensors together; None where something else compares them with what is there.
    settings: let harmless objects through too, for stand-ins to take their place.
    Returns the dotted names of these.
    """
    start, announced, encoded = file.tell(), _Announced(most_values), _EncodedBytes()
    harmless: set[str] = set()
    refused: dict[str, None] = {}
    for code, argument, place in pickletools.genops(file):
        if code.name == "GLOBAL" and argument not in _CALLED:
            name = name_today(argument)
            if settings and is_harmless(name):
                harmless.add(name)
            else:
                refused[argument.replace(" ", ".")] = None
        if code.name in _OTHER_CALLS and not refused:
            raise RefusedError(f"it calls by {code.name}, which torch.save does not write")
        if place - start > MOST_PICKLE_BYTES:
            raise RefusedError(f"its description of tensors has more than {MOST_PICKLE_BYTES} bytes")
        encoded.see(code.name, argument)
        if most_values is not None:
            announced.see(code.name, argument)
    if refused:
        raise RefusedCallsError(list(refused))
    return harmless


class _EncodedBytes:
    """Sees to it that _codecs.encode is called as torch.save does for bytes: of a text just read, to Latin-1.

    Other calls of it can take any time and memory: in turns, each on the last one's result.
    """

    _ORDER = ("encode", "text", "latin1", "TUPLE2", "REDUCE")

    def __init__(self):
        self._remembered: dict[int, str] = {}
        self._step, self._last = 0, ""

    def see(self, name: str, argument: Any) -> None:
        """Take the next instruction."""
        if "PUT" in name:
            self._remember(argument)
            return
        self._last = self._meaning(name, argument)
        if self._step == 0 and self._last != "encode":
            return
        if self._last != self._ORDER[self._step] and not (self._step == 1 and name == "BINUNICODE"):
            raise RefusedError("it makes bytes otherwise than torch.save")
        self._step = (self._step + 1) % len(self._ORDER)

    def _remember(self, place: int) -> None:
        if self._last in ("encode", "latin1"):
            self._remembered[place] = self._last
        else:
            self._remembered.pop(place, None)

    def _meaning(self, name: str, argument: Any) -> str:
        if name == "GLOBAL":
            return "encode" if argument == "_codecs encode" else ""
        if name == "BINUNICODE":
            return "latin1" if argument == "latin1" else "text"
        if name in ("BINGET", "LONG_BINGET"):
            return self._remembered.get(argument, "")
        return name


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
