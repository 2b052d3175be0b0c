"""Weights from files: own ones, the public checkpoints, and ImageNet backbones of the same families.

A public file calls its tensors what its own code does. Names alone decide where a tensor belongs; shapes
are checked. Nothing is loaded unless everything that belongs somewhere fits.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from deltadistill.files.tensors import read_tensors
from deltadistill.stored.weight_account import beside, elsewhere, unread_averages
from deltadistill.stored.weight_assignment import (
    assign,
    blocks_of,
    deployed_choices,
    listed,
    missing_names,
    names_here,
    refuse_rest,
)
from deltadistill.stored.weight_parts import named_part, nothing_fits
from deltadistill.stored.weight_sets import (
    PREFERENCES,
    NameHere,
    WeightSet,
    chosen,
    fits,
    require_names,
    weight_sets,
    widest,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_weights` did: every tensor of the file is loaded, unused or elsewhere.

    `loaded` and `missing` are names in the network, `unused` names where the weights were taken in the file.
    `reasons` tells for each unused name why it is.
    `taken` is that place in the file, keys joined by dots and "" for all of it; `average` is whether these
    weights are known as a moving average. `completed` are the buffers, names in the network, that an average
    does not have, so that the raw weights' are loaded.
    `elsewhere` tells of every other tensor in the file, by its place, what it is: another copy of the weights
    (`COPY`), or outside of them (`OUTSIDE`), such as an optimiser's.
    """

    loaded: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    taken: str = ""
    average: bool = False
    completed: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)


def load_weights(
    network: nn.Module,
    path: str | Path,
    *,
    strict: bool = False,
    prefer: str = "ema",
    part: str | None = None,
) -> LoadedWeights:
    """Load a file into `network`, in place, and tell what was loaded, unused and missing.

    Understood are files of `save_network`; the public checkpoints of the six published networks, per-frame
    and delta-distilled; ImageNet backbones (torchvision's ResNet-101, timm's HRNet-W18-small-v2 and
    EfficientNet-B0, DDRNets without head); and for any network files of torch.save and safetensors with its
    tensors by name, wherever they are in the file. Delta-distilled weights go into a network made by
    `convert`, or, the teachers alone, into a per-frame one. From a deployed file the network takes the
    choice of candidates too: it is deployed afterwards.

    strict: raise where a name of the network is missing or one of the file is unused without need.
    prefer: "ema" takes the moving average where the file has one beside the raw weights, "raw" these.
    part: take what lies there and nothing else, such as "state_dict.generator": keys and beginnings of names.
    No code of the file is executed. Raises ValueError, which names the file, where it is missing, empty or
    unreadable, where nothing in it belongs to the network, where several sets of weights may be meant, where
    an average lacks parameters that the raw weights have, where a shape does not fit, and where a file
    without students is loaded into a converted network, whose students would stay another teacher's.
    """
    if prefer not in PREFERENCES:
        raise ValueError(f"prefer is {prefer!r}; expected one of {', '.join(PREFERENCES)}")
    content = _read(Path(path))
    try:
        return _load(network, content, path, strict=strict, prefer=prefer, part=part)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _load(
    network: nn.Module,
    content: Mapping[Any, Any],
    path: str | Path,
    *,
    strict: bool,
    prefer: str,
    part: str | None,
) -> LoadedWeights:
    own, blocks = network.state_dict(), blocks_of(network)
    here = names_here(own, blocks)
    sets = weight_sets(content, here, own)
    taken = _taken(content, sets, own, here, prefer=prefer, part=part)
    values, reasons = assign({name: taken.value(name) for name in taken.names}, own, blocks)
    reasons = {taken.names[name]: why for name, why in reasons.items()}
    completed, source = _buffers_of_raw(network, taken, [] if part is not None else sets, own, blocks)
    values |= completed
    reasons |= beside(taken, sets, here)
    choices = deployed_choices(values, blocks)
    missing = missing_names(network, values, choices)
    if strict:
        refuse_rest(missing, reasons)
    network.load_state_dict(values, strict=False)
    for name, choice in choices.items():
        blocks[name].decide(choice)
        blocks[name].drop_unused()
    rest = elsewhere(content, taken, sets, here, source)
    loaded = LoadedWeights(
        tuple(values),
        tuple(reasons),
        missing,
        reasons,
        taken.label,
        taken.average,
        tuple(completed),
        rest,
    )
    _tell(path, loaded, sets, prefer=prefer)
    if part is None and not taken.average and (left := unread_averages(content, sets)):
        told = "%s: what seems an average, %s, has other names, or none, and was left"
        log.warning(told, path, listed(left))
    return loaded


def _taken(
    content: Mapping[Any, Any],
    sets: list[WeightSet],
    own: Mapping[str, Tensor],
    here: NameHere,
    *,
    prefer: str,
    part: str | None,
) -> WeightSet:
    """The set of weights that the user means."""
    if part is not None:
        taken = named_part(content, part)
        taken = replace(taken, fits=fits(taken, here, by_shape=False))
    elif sets:
        taken = chosen(sets, prefer=prefer)
    if (part is not None and not taken.fits) or (part is None and not sets):
        raise ValueError(nothing_fits(content, own, here))
    require_names(taken.container)
    return taken


def _buffers_of_raw(
    network: nn.Module,
    taken: WeightSet,
    sets: list[WeightSet],
    own: Mapping[str, Tensor],
    blocks: Mapping[str, Any],
) -> tuple[dict[str, Tensor], set[tuple[int, str]]]:
    """The buffers that raw weights have and an average of parameters does not; where they are in the file.

    Raises ValueError where it lacks parameters too.
    """
    raw = [s for s in sets if not s.average]
    lacking = frozenset().union(*(s.fits for s in raw)) - taken.fits
    if not taken.average or not lacking:
        return {}, set()
    if parameters := sorted(lacking & dict(network.named_parameters(remove_duplicate=False)).keys()):
        raise ValueError(
            f"{taken.label or 'the whole file'} is a moving average without {listed(parameters)}, which the "
            'raw weights have; take those by prefer="raw", or the average alone by '
            f"part={taken.label!r}"
        )
    source = widest(raw)
    here = names_here(own, blocks)
    needed = {name: file_name for name, file_name in source.names.items() if here(name, None) in lacking}
    values, _ = assign({name: source.value(name) for name in needed}, own, blocks)
    return values, {(id(source.container), file_name) for file_name in needed.values()}


def _tell(path: str | Path, loaded: LoadedWeights, sets: list[WeightSet], *, prefer: str) -> None:
    copies = [s.label or "the whole file" for s in sets if s.label != loaded.taken]
    kind = "a moving average" if loaded.average else "raw weights"
    beside = f" ({kind}; there too: {listed(copies)})" if copies else ""
    unmet = loaded.average and prefer == "raw"
    decided = loaded.average and bool(copies)  # by what such files mean, hence never without a word
    log.log(
        logging.WARNING if loaded.missing or unmet or decided else logging.INFO,
        "%s: from %s%s %d loaded, %d unused, %d missing; %d tensors elsewhere in the file%s",
        path,
        loaded.taken or "the whole file",
        beside,
        len(loaded.loaded),
        len(loaded.unused),
        len(loaded.missing),
        len(loaded.elsewhere),
        "; it has an average only, no raw weights" if unmet else "",
    )


def read_state_dict(path: str | Path, *, having: str) -> dict[str, Any]:
    """Return the tensors by name in a file, out of whatever holds them; an average where there is one.

    having: the name of a tensor by which they are found. Values that are no tensors, such as a number of
    epochs, stay in. Raises ValueError for a file that is missing, empty, unreadable or of another content,
    or has several such sets of which none is known as an average.
    """
    content = _read(Path(path))
    try:
        sets = weight_sets(content, lambda name, _: name if name == having else None, {having: None})
        if not sets:
            return {str(name): value for name, value in content.items()}
        taken = chosen(sets, prefer="ema")
        require_names(taken.container)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    log.info("%s: from %s", path, taken.label or "the whole file")
    return {name: taken.value(name) for name in taken.names}


def _read(path: Path) -> Mapping[Any, Any]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file of weights")
    if not path.stat().st_size:
        raise ValueError(f"{path}: the file is empty; was it downloaded completely?")
    try:
        content = read_tensors(path, checksums=False, settings=True)
    except ValueError as error:
        raise ValueError(
            f"{path}: not readable as tensors: {error}; expected a file of torch.save or safetensors with "
            "tensors by name"
        ) from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: tensors by name are expected, got {type(content).__name__}")
    return content
