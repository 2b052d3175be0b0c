"""Where a tensor of a file belongs in a network: by its name, with or without a delta network's slots."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from deltadistill.blocks.candidates import COMPRESSED, DECISION, UNCOMPRESSED
from deltadistill.stored.public_names import possible_names

STUDENT_BIAS = "a copy of the teacher's bias, which cancels in a delta"
REPEATED = "repeats the candidate in use"
NO_STUDENTS = "the network has no such student here"
NO_SUCH_NAME = "the network has no tensor of that name"
NO_TENSOR = "not a tensor"
COUNTER = "counts the steps of an average"

# Names of a delta-distilled convolution's tensors: public ones, and those here.
SLOTS = {
    "W": "teacher",
    "g_Wa": UNCOMPRESSED,
    "g_Wb": COMPRESSED,
    "g_gate": "gate",
    "teacher": "teacher",
    UNCOMPRESSED: UNCOMPRESSED,
    COMPRESSED: COMPRESSED,
    "gate": "gate",
}
_COUNTERS = ("n_averaged", "num_updates", "decay", "steps", "step", "updates", "initted")
_COMPILED = "_orig_mod."  # of torch.compile, at any depth
_WRAPPERS = ("module.", "model.", "net.", "network.")
_DELTA_NAME = re.compile(rf"(?:(?P<module>.+)\.)?(?P<slot>g_W|{'|'.join(SLOTS)})\.(?P<rest>.+)")


def name_here(public: str, own: Mapping[str, Tensor], blocks: Mapping[str, Any]) -> str | None:
    """Return the network's name for what a file calls `public`, or None.

    own: the network's tensors. blocks: its converted blocks by name.
    """
    candidates = (
        _in_delta_network(name, own, blocks)
        for unwrapped in _unwrapped(public)
        for name in possible_names(unwrapped)
    )
    return next((name for name in candidates if name in own), None)


def _unwrapped(public: str) -> Iterator[str]:
    """Give the name as it is, then with ever fewer of what compiling and training programs put around."""
    yield public
    name = public.replace(_COMPILED, "")
    if name != public:
        yield name
    while wrapper := next((w for w in _WRAPPERS if name.startswith(w)), None):
        name = name.removeprefix(wrapper)
        yield name


def _in_delta_network(name: str, own: Mapping[str, Tensor], blocks: Mapping[str, Any]) -> str | None:
    """Give the network's form of a name, with or without the slot of a delta-distilled convolution."""
    if name in own:
        return name
    match = _DELTA_NAME.fullmatch(name)
    if match:
        module, slot, rest = match["module"] or "", _slot(match), match["rest"]
    else:
        module, slot, rest = name.rpartition(".")[0], "teacher", name.rpartition(".")[2]
    if module in blocks:
        return joined(module, slot, "logit" if slot == "gate" else rest)
    return joined(module, rest) if slot == "teacher" else None


def _slot(match: re.Match) -> str:
    if match["slot"] != "g_W":
        return SLOTS[match["slot"]]
    return COMPRESSED if match["rest"][0].isdigit() else UNCOMPRESSED  # a Sequential, or one convolution


def joined(*parts: str) -> str:
    """The dotted name of the parts that are not empty."""
    return ".".join(part for part in parts if part)


def repeats(public: str, found: Mapping[str, Any]) -> bool:
    """Whether `public` is the candidate in use once more, which undeployed public files list beside both."""
    match = _DELTA_NAME.fullmatch(public)
    return match is not None and match["slot"] == "g_W" and joined(match["module"], "g_gate.bias") in found


def reason(public: str, value: object, found: Mapping[str, Any]) -> str:
    """Why the value belongs nowhere. found: all of its set, by name."""
    if not isinstance(value, Tensor):
        return NO_TENSOR
    if public.rpartition(".")[2] in _COUNTERS and value.numel() == 1:
        return COUNTER
    if public.rpartition(".")[2] == DECISION:
        return NO_STUDENTS
    match = _DELTA_NAME.fullmatch(public)
    if match is None or _slot(match) == "teacher":
        return NO_SUCH_NAME
    if match["rest"].endswith("bias") and _slot(match) != "gate":
        return STUDENT_BIAS
    return REPEATED if repeats(public, found) else NO_STUDENTS
