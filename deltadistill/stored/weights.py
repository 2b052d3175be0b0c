"""Weights from files: own ones, the public checkpoints, and ImageNet backbones of the same families.

A public file calls its tensors what its own code does. Names alone decide where a tensor belongs; shapes
are checked. Nothing is loaded unless everything that belongs somewhere fits.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from deltadistill.blocks.candidates import COMPRESSED, DECISION, UNCOMPRESSED
from deltadistill.files.tensors import read_tensors
from deltadistill.stored.public_names import as_here, possible_names

log = logging.getLogger(__name__)

STUDENT_BIAS = "a copy of the teacher's bias, which cancels in a delta"
REPEATED = "repeats the candidate in use"
NO_STUDENTS = "the network has no such student here"
NO_SUCH_NAME = "the network has no tensor of that name"
NO_TENSOR = "not a tensor"
HARMLESS = (STUDENT_BIAS, REPEATED)  # nothing is lost by leaving these unused

_CONTAINERS = (
    "state_dict",
    "trainee",
    "network",
    "model_state_dict",
    "model",
)  # where files keep the tensors, one inside another
_DEEPEST = 10  # containers inside one another; a mapping may hold itself
_LONGEST_NAME = 1000  # characters; of the published networks, 70
# Names of a delta-distilled convolution's tensors: public ones, and those here.
_SLOTS = {
    "W": "teacher",
    "g_Wa": UNCOMPRESSED,
    "g_Wb": COMPRESSED,
    "g_gate": "gate",
    "teacher": "teacher",
    UNCOMPRESSED: UNCOMPRESSED,
    COMPRESSED: COMPRESSED,
    "gate": "gate",
}
_DELTA_NAME = re.compile(rf"(?:(?P<module>.+)\.)?(?P<slot>g_W|{'|'.join(_SLOTS)})\.(?P<rest>.+)")


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_weights` did. `loaded` and `missing` are names in the network, `unused` names in the file.

    `reasons` tells for each unused name why it is.
    """

    loaded: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)


def load_weights(network: nn.Module, path: str | Path, *, strict: bool = False) -> LoadedWeights:
    """Load a file into `network`, in place, and tell what was loaded, unused and missing.

    Understood are files of `save_network`; the public checkpoints of the six published networks, per-frame
    and delta-distilled; and ImageNet backbones (torchvision's ResNet-101, timm's HRNet-W18-small-v2 and
    EfficientNet-B0, DDRNets without head). Delta-distilled weights go into a network made by `convert`, or,
    the teachers alone, into a per-frame one. From a deployed file the network takes the choice of
    candidates too: it is deployed afterwards.

    strict: raise where a name of the network is missing or one of the file is unused without need.
    No code of the file is executed. Raises ValueError, which names the file, where it is missing, empty or
    unreadable, where nothing in it belongs to the network, where a shape does not fit, and where a file
    without students is loaded into a converted network, whose students would stay another teacher's.
    """
    found = read_state_dict(path)
    blocks = _blocks(network)
    try:
        values, reasons = _assign(found, network.state_dict(), blocks)
        choices = _deployed_choices(values, blocks)
        missing = _missing(network, values, choices)
        if strict:
            _refuse_rest(missing, reasons)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    network.load_state_dict(values, strict=False)
    for name, choice in choices.items():
        blocks[name].decide(choice)
        blocks[name].drop_unused()
    level = logging.WARNING if missing else logging.INFO
    log.log(level, "%s: %d loaded, %d unused, %d missing", path, len(values), len(reasons), len(missing))
    return LoadedWeights(tuple(values), tuple(reasons), missing, reasons)


def read_state_dict(path: str | Path) -> dict[str, Any]:
    """Return the tensors by name in a file of `torch.save`, out of whatever holds them.

    Values that are no tensors, such as a number of epochs, stay in. Raises ValueError for a file that is
    missing, empty, unreadable or of another content.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file of weights")
    if not path.stat().st_size:
        raise ValueError(f"{path}: the file is empty; was it downloaded completely?")
    try:
        content = read_tensors(path, checksums=False)
    except ValueError as error:
        raise ValueError(
            f"{path}: not readable as tensors: {error}; expected a file of torch.save with tensors by name"
        ) from None
    for _ in range(_DEEPEST):
        if not isinstance(content, Mapping):
            raise ValueError(f"{path}: tensors by name are expected, got {type(content).__name__}")
        inner = [content[key] for key in _CONTAINERS if isinstance(content.get(key), Mapping)]
        if not inner:
            return _by_name(path, content)
        content = inner[0]
    raise ValueError(f"{path}: tensors by name are expected, got mappings more than {_DEEPEST} deep")


def _by_name(path: Path, content: Mapping[Any, Any]) -> dict[str, Any]:
    for name in content:
        if not isinstance(name, str) or len(name) > _LONGEST_NAME:
            raise ValueError(
                f"{path}: tensors by name are expected, got the name {name!r:.50}; a name is text of at most "
                f"{_LONGEST_NAME} characters"
            )
    return dict(content)


def _blocks(network: nn.Module) -> dict[str, Any]:
    """Return every converted block under each of its names.

    By what they can, not by their class: a teacher starts from these files and depends on no block.
    """
    modules = network.named_modules(remove_duplicate=False)
    return {name: module for name, module in modules if hasattr(type(module), "drop_unused")}


def _assign(
    found: Mapping[str, Any], own: Mapping[str, Tensor], blocks: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Give the values by the network's names, and for every unused name of the file the reason."""
    origins: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for public, value in found.items():
        name = None if _repeats(public, found) else _name_here(public, own, blocks)
        if name is None or not isinstance(value, Tensor):
            reasons[public] = _reason(public, value, found)
        elif name in origins:
            raise ValueError(f"both {origins[name]} and {public} belong to {name}; remove one of them")
        else:
            origins[name] = public
    if not origins:
        raise ValueError(
            f"nothing in it belongs to the network: the file has {list(found)[:3]} …, "
            f"the network {list(own)[:3]} …"
        )
    return _fitting({name: as_here(public, found[public]) for name, public in origins.items()}, own), reasons


def _name_here(public: str, own: Mapping[str, Tensor], blocks: Mapping[str, Any]) -> str | None:
    candidates = (_in_delta_network(name, own, blocks) for name in possible_names(public))
    return next((name for name in candidates if name in own), None)


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
        return _joined(module, slot, "logit" if slot == "gate" else rest)
    return _joined(module, rest) if slot == "teacher" else None


def _slot(match: re.Match) -> str:
    if match["slot"] != "g_W":
        return _SLOTS[match["slot"]]
    return COMPRESSED if match["rest"][0].isdigit() else UNCOMPRESSED  # a Sequential, or one convolution


def _joined(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _repeats(public: str, found: Mapping[str, Any]) -> bool:
    """Whether `public` is the candidate in use once more, which undeployed public files list beside both."""
    match = _DELTA_NAME.fullmatch(public)
    return match is not None and match["slot"] == "g_W" and _joined(match["module"], "g_gate.bias") in found


def _reason(public: str, value: object, found: Mapping[str, Any]) -> str:
    if not isinstance(value, Tensor):
        return NO_TENSOR
    if public.rpartition(".")[2] == DECISION:
        return NO_STUDENTS
    match = _DELTA_NAME.fullmatch(public)
    if match is None or _slot(match) == "teacher":
        return NO_SUCH_NAME
    if match["rest"].endswith("bias") and _slot(match) != "gate":
        return STUDENT_BIAS
    return REPEATED if _repeats(public, found) else NO_STUDENTS


def _fitting(values: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the values if all their shapes fit; a single number fits as (1,) too."""
    values = {
        name: value.reshape(own[name].shape) if value.numel() == own[name].numel() == 1 else value
        for name, value in values.items()
    }
    misfits = [
        f"{name} has shape {tuple(value.shape)}, expected {tuple(own[name].shape)}"
        for name, value in values.items()
        if value.shape != own[name].shape
    ]
    if misfits:
        raise ValueError("the weights do not fit the network: " + _listed(misfits))
    return values


def _deployed_choices(values: Mapping[str, Tensor], blocks: Mapping[str, Any]) -> dict[str, str]:
    """Return the candidate of each block for which the file has one candidate and no gate.

    Raises ValueError for teachers that come without students.
    """
    choices, without = {}, []
    for name, block in blocks.items():
        slots = {s for s in _SLOTS.values() if any(v.startswith(_joined(name, s) + ".") for v in values)}
        candidates = slots & {UNCOMPRESSED, COMPRESSED}
        if slots == {"teacher"}:
            without.append(name or "the network itself")
        elif len(candidates) == 1 and "gate" not in slots and block.gate is not None:
            choices[name] = candidates.pop()
    if without:
        raise ValueError(
            f"no students for {_listed(without)}; load per-frame weights before convert, which makes "
            "students of the teachers it finds"
        )
    return choices


def _missing(network: nn.Module, values: Mapping[str, Tensor], choices: Mapping[str, str]) -> tuple[str, ...]:
    """Name what stays as it was, but for the candidates and gates that the choices drop.

    Decisions are not missed: public files and older ones have none.
    """
    slots = {UNCOMPRESSED, COMPRESSED, "gate"}
    dropped = tuple(
        _joined(name, slot) + "." for name, choice in choices.items() for slot in slots - {choice}
    )
    decisions = {_joined(name, DECISION) for name in _blocks(network)}
    known = {*values, *decisions}
    return tuple(name for name in network.state_dict() if name not in known and not name.startswith(dropped))


def _refuse_rest(missing: tuple[str, ...], reasons: Mapping[str, str]) -> None:
    unused = [f"{name} ({reason})" for name, reason in reasons.items() if reason not in HARMLESS]
    parts = [
        f"{word}: {_listed(names)}" for word, names in (("missing", missing), ("unused", unused)) if names
    ]
    if parts:
        raise ValueError("; ".join(parts) + "; strict=False loads the rest")


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
