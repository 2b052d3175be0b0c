"""The found architecture: which candidate every block uses; exported, described, applied again."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from deltadistill import models
from deltadistill.account.macs import MacTable
from deltadistill.blocks.candidates import COMPRESSED, RULE, UNCOMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.design import Student
from deltadistill.blocks.designs import fresh_design, shape_design
from deltadistill.blocks.prediction import OfChange
from deltadistill.conversion.convert import convert, deploy
from deltadistill.files.building import built_within
from deltadistill.models import building, own
from deltadistill.models.registry import MODELS
from deltadistill.stored.early_student import apply_early_architecture, is_early_student
from deltadistill.stored.network_file import load_weights_into, read_network_file, take_dtypes


def found_architecture(network: nn.Module, students: Student) -> dict[str, Any]:
    """Return every block's candidate and what the students are, as plain values for JSON.

    Of blocks without candidates the choice is "rule". "rows_per_frame" is there only for blocks that were
    seen at work on an example.
    """
    blocks = delta_blocks(network)
    if not blocks:
        raise ValueError("the network has no converted blocks, hence no architecture to export")
    prediction = next(iter(blocks.values())).rule.prediction
    architecture = {
        "predicts": OfChange.name if prediction is None else prediction.name,
        "students": students.as_dict(),
        "blocks": {name: block.choice for name, block in blocks.items()},
    }
    rows = {name: block.rows_per_frame for name, block in blocks.items() if block.probed}
    return architecture | ({"rows_per_frame": rows} if rows else {})


def apply_architecture(network: nn.Module, architecture: Mapping[str, Any]) -> nn.Module:
    """Convert a plain network as `architecture` says and deploy it; students start fresh.

    architecture: what `found_architecture` returned, or the content of a stage's architecture.json.
    Students of your own (package.module:name) must be imported already: a description imports nothing.
    Raises ValueError for a description of no delta network, for unknown kinds of students, and for blocks
    that the network does not have.
    """
    return _applied(network, architecture, partial(fresh_design, imports=False))


def _applied(
    network: nn.Module, architecture: Mapping[str, Any], design: Callable[[Mapping[str, Any]], Student]
) -> nn.Module:
    missing = {"predicts", "students", "blocks"} - set(architecture)
    if missing or not architecture["blocks"]:
        raise ValueError(
            f"not the architecture of a delta network: without {sorted(missing) or 'any blocks'}; expected "
            "what found_architecture returns or the architecture.json of a delta or feature variant"
        )
    blocks, rows_per_frame = architecture["blocks"], architecture.get("rows_per_frame") or {}
    _require_plain(blocks, rows_per_frame)
    students = design(architecture["students"])
    network = convert(network, students, lambda _: list(blocks), predicts=architecture["predicts"])
    converted = delta_blocks(network)
    missing = sorted(set(blocks) - set(converted))
    if missing:
        raise ValueError(f"the architecture names blocks that could not be converted: {missing[:5]}")
    for name, candidate in blocks.items():
        converted[name].decide(candidate)
    for name, rows in rows_per_frame.items():
        converted[name].rows_per_frame, converted[name].probed = rows, True
    return deploy(network)


def _require_plain(blocks: Any, rows_per_frame: Any) -> None:
    """ValueError for a description of blocks that is not one."""
    for name, candidate in _items("blocks", blocks):
        if candidate not in (UNCOMPRESSED, COMPRESSED, RULE):
            raise ValueError(
                f"block {name} uses {candidate!r:.50}; expected {UNCOMPRESSED!r} or {COMPRESSED!r}, or "
                f"{RULE!r} of students without candidates"
            )
    for name, rows in _items("rows_per_frame", rows_per_frame):
        if name not in blocks or type(rows) is not int or rows < 1:
            raise ValueError(
                f"rows_per_frame of {name} is {rows!r:.50}; expected a whole number from 1 of a block"
            )


def _items(key: str, mapping: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(mapping, Mapping) or not all(isinstance(name, str) for name in mapping):
        raise ValueError(f"{key} of an architecture is {mapping!r:.50}; expected values by block name")
    return mapping.items()


def architecture_report(
    network: nn.Module,
    table: MacTable,
    architecture: Mapping[str, Any] | None,
    gate_probabilities: Mapping[str, float],
) -> dict[str, Any]:
    """Describe a deployed network: per block the candidate, its gate and its MACs; totals.

    Of a delta network it holds all that `apply_architecture` needs, so that one file serves both.
    table: the network's MAC account. gate_probabilities: of the compressed candidate, by block name.
    A per-frame network (architecture None) has totals only, a student that pools earlier also what it is.
    """
    architecture = {"predicts": None, "students": None, "blocks": {}} | dict(architecture or {})
    rows = {row.name: row for row in table.rows}
    layers = [
        {
            "name": name,
            "part": models.part_of(network, name),
            "candidate": candidate,
            "gate_probability": gate_probabilities.get(name),
            "teacher_macs": rows[name].teacher_macs,
            "macs": rows[name].delta_macs,
        }
        for name, candidate in architecture["blocks"].items()
    ]
    return {
        **architecture,
        "layers": layers,
        "macs": {"teacher": table.teacher, "key": table.key, "delta": table.delta},
    }


def load_network(path: str | Path, *, own_names: Collection[str] = ()) -> nn.Module:
    """Build the network that `save_network` wrote, in evaluation mode, every tensor of the type it had.

    own_names: networks of yours outside networks/, by the names that models.build took: "nets.py:build".
    No code from the file is executed, and nothing that it names and you do not, but for the networks of this
    library, of torchvision, of models.register and of the folder networks/.
    Students of your own that it names (package.module:name) must be imported already.
    Raises ValueError that names the file and what is wrong with it.
    """
    content = read_network_file(path)
    _require_builder(content["model"]["name"], path)
    model, architecture, weights = content["model"], content["architecture"], content["state_dict"]
    try:
        with built_within(sum(tensor.numel() for tensor in weights.values())):
            network = building.build_from_file(model, own_names=own_names)
            if architecture and is_early_student(architecture):
                network = apply_early_architecture(network, architecture)
            elif architecture:
                network = _applied(network, architecture, partial(shape_design, imports=False))
    except Exception as error:  # builders raise what they raise for options of a wrong kind
        raise ValueError(
            f"{path}: the network it describes, {model['name']!r:.100}, cannot be built: {error}; "
            "was the file written by this version, with this networks/ folder?"
        ) from error
    take_dtypes(network, content, source=str(path))
    load_weights_into(network, weights, source=str(path))
    return network.eval()


def _require_builder(name: str, path: str | Path) -> None:
    """Say what to do where a plain name is of no network that is known here."""
    known = [*MODELS, *building.REGISTERED, *own.names()]
    if name.isidentifier() and name not in known:
        raise ValueError(
            f"{path}: the network it describes, {name!r:.100}, cannot be built: unknown model; before "
            f"loading, register its builder by dd.models.register({name!r:.100}, build), or put it into "
            f"networks/{name:.100}.py of the folder you work in; known: {', '.join(sorted(known))}"
        )
