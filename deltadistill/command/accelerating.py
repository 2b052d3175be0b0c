"""Accelerates a network on videos: opens what the command line names, and tells what came out."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from deltadistill.acceleration.accelerate import REPORT, Outcome, accelerate
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.footage import read_footage, split
from deltadistill.acceleration.page import sentences, warned_of
from deltadistill.acceleration.truth_file import open_truth
from deltadistill.command import network_arguments
from deltadistill.command.exits import UnfinishedError, UsageError
from deltadistill.command.opened_runner import OWN_ADAPTER
from deltadistill.runtime.picture_form import PictureForm
from deltadistill.runtime.registry import ENGINES
from deltadistill.stored.named_network import NamedNetwork, open_network
from deltadistill.video.adapter import Adapter, find_decoder, read_adapter
from deltadistill.video.registry import DECODERS


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line asks for; after an interruption what there is has been written."""
    budget = Budget(60 * arguments.minutes)
    _require_engine(arguments.engine)
    _require_a_place(Path(arguments.output).expanduser())
    tell = _teller(budget)
    case, adapter = _case(arguments, tell)
    command = _line(arguments)
    outcome = accelerate(
        case,
        arguments.output,
        budget=budget,
        tell=tell,
        beside=_beside(arguments, adapter),
        command=lambda outcome: _complete(command, outcome),
    )
    if not arguments.json:
        page = f"Page: {outcome.folder / REPORT}"
        told = [*warned_of(outcome), *sentences(case, outcome), page, _complete(command, outcome)]
        print("\n".join(told))
    result = outcome.as_json() | {"command": _complete(command, outcome)}
    if outcome.ended_by is not None:
        raise UnfinishedError(result, outcome.ended_by)
    return result


def _case(arguments: argparse.Namespace, tell: Callable[[str], None]) -> tuple[Case, Adapter]:
    torch.manual_seed(arguments.seed)
    adapter = _adapter(arguments)
    named = open_network(
        arguments.network,
        classes=arguments.classes,
        options=network_arguments.options(arguments),
        own_names=arguments.own,
    )
    pictures = _pictures(named, adapter, arguments)
    if not adapter.showing.categories and named.categories:
        adapter = replace(adapter, showing=replace(adapter.showing, categories=named.categories))
    truth = None
    if arguments.truth:
        names = adapter.showing.categories
        truth = open_truth(arguments.truth, videos=arguments.videos, categories=names)
    tell(f"reading {', '.join(arguments.videos)}")
    footage, notes = read_footage(
        arguments.videos, size=pictures.size, fit=pictures.fit, scene_cut=arguments.scene_cut or None
    )
    for note in (*named.notes, *notes):
        tell(f"note: {note}")
    case = Case(
        network=named.network,
        pictures=pictures,
        parts=split(footage),
        asked=arguments.fidelity,
        decode=adapter.decode,
        truth=truth,
        threshold=adapter.showing.threshold,
        engines=() if arguments.engine == "auto" else (arguments.engine,),
        precisions={"auto": (), "fp32": ("fp32",)}.get(arguments.precision, ("fp32", arguments.precision)),
        device=arguments.device,
        threads=arguments.threads,
        memory_mib=arguments.memory_mib,
        seed=arguments.seed,
        name=arguments.network,
        notes=(*named.notes, *notes),
    )
    return case, adapter


def _adapter(arguments: argparse.Namespace) -> Adapter:
    adapter = read_adapter(arguments.adapter) if arguments.adapter else Adapter()
    if arguments.decoder:
        adapter = replace(adapter, decode=find_decoder(arguments.decoder))
    if arguments.threshold is not None:
        adapter = replace(adapter, showing=replace(adapter.showing, threshold=arguments.threshold))
    return adapter


def _pictures(named: NamedNetwork, adapter: Adapter, arguments: argparse.Namespace) -> PictureForm:
    """The weights' own form, what the adapter says instead, and the size of the command line."""
    values: dict[str, Any] = {**named.pictures, **adapter.pictures}
    if arguments.size:
        values["size"] = arguments.size
    if "size" not in values:
        raise UsageError(
            f"nothing says what size {arguments.network} takes; --size HEIGHTxWIDTH, or an adapter"
        )
    for name in ("size", "mean", "deviation"):
        if name in values:
            values[name] = tuple(values[name])
    try:
        return PictureForm(**values)
    except TypeError as error:
        raise ValueError(f"pictures of the adapter: {error}; expected the names in docs/command.md") from None


def _beside(arguments: argparse.Namespace, adapter: Adapter) -> Mapping[str, str]:
    """An adapter for the runner's folder: what of it needs no code."""
    showing = adapter.showing
    values: dict[str, Any] = {"threshold": showing.threshold}
    if showing.categories:
        values["categories"] = list(showing.categories)
    if showing.background is not None:
        values["background"] = showing.background
    decoder = next((name for name in DECODERS if DECODERS.find(name) is adapter.decode), None)
    if decoder:
        values["decoder"] = decoder
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()]
    return {OWN_ADAPTER: "".join(lines)}  # what JSON has, YAML reads


def _line(arguments: argparse.Namespace) -> list[str]:
    """The line that runs the runner, but for engine and precision."""
    words = ["deltadistill", "run", arguments.output, arguments.videos[0], "-o", "out.mp4"]
    for name in ("adapter", "decoder", "threads"):
        if (value := getattr(arguments, name)) is not None:
            words += [f"--{name}", str(value)]
    return words


def _complete(words: list[str], outcome: Outcome) -> str:
    """With the precision and an engine of the user's own, which runners do not choose."""
    trial = outcome.choice.taken.trial
    if trial.precision == "fp32" and trial.engine in ENGINES.entries:
        return shlex.join(words)
    precision = [] if trial.precision == "fp32" else ["--precision", trial.precision]
    return shlex.join([*words, "--engine", trial.engine, *precision])


def _require_engine(name: str) -> None:
    """Raise UsageError for a name that is neither auto nor leads to an engine."""
    if name == "auto":
        return
    try:
        ENGINES.find(name)
    except ValueError as error:
        raise UsageError(f"{error}; auto takes all that are here") from None


def _require_a_place(folder: Path) -> None:
    """What is there must be a runner's folder or empty, since it is replaced."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "runner.json").is_file():
        raise UsageError(f"{folder} is there and is no runner; name a folder that may be replaced")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder")


def _teller(budget: Budget) -> Callable[[str], None]:
    def tell(text: str) -> None:
        tqdm.write(f"[{budget.told()}] {text}", file=sys.stderr)

    return tell
