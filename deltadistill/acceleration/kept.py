"""What a runner's folder keeps of how it was found: trials and trained students, for a call that goes on."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.lower_end import PIECES, SURE
from deltadistill.acceleration.trial import NO_TIME, Trial, from_json
from deltadistill.account.machine import describe_processor
from deltadistill.files import atomic
from deltadistill.files.strict_json import read_json

TRIALS, STUDENTS = "trials.json", "students.pt"
_REMEDY = "delete it, and everything is tried anew"


def question_of(case: Case) -> str:
    """A digest of all that trials depend on but the time: network, video, truth, engines, processor …"""
    digest = hashlib.sha256()
    for name, tensor in case.network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for shot in (*case.parts.learning, *case.parts.choosing):
        digest.update(f"{shot.video} {list(shot.numbers)}".encode())
        for frame in shot.frames:
            digest.update(frame.tobytes())
    said = {
        "pictures": asdict(case.pictures),
        "processor": describe_processor(),
        "others": [
            list(case.engines),
            list(case.precisions),
            case.device,
            case.threads,
            list(case.periods),
            case.seed,
        ],
        "threshold": case.threshold,
        "lower_end": [PIECES, SURE],
        "decode": f"{case.decode.__module__}:{case.decode.__qualname__}",
        "truth": None if case.truth is None else case.truth.digest,
    }
    if case.memory_mib is not None:
        said["memory_mib"] = case.memory_mib
    digest.update(json.dumps(said, sort_keys=True).encode())
    return digest.hexdigest()


def recall(folder: Path, question: str) -> tuple[list[Trial], dict[str, Mapping[str, Tensor]]] | None:
    """Trials and students of an earlier call about the same; None where there are none.

    Raises ValueError for files that are damaged.
    """
    if not (folder / TRIALS).is_file():
        return None
    found = read_json(folder / TRIALS, remedy=_REMEDY)
    if not isinstance(found, dict) or found.get("question") != question:
        return None
    try:
        trials = [from_json(each) for each in found["trials"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / TRIALS}: {error}; {_REMEDY}") from None
    return trials, _students(folder / STUDENTS)


def _students(path: Path) -> dict[str, Mapping[str, Tensor]]:
    if not path.is_file():
        return {}
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise ValueError(f"{path} cannot be read: {error}; {_REMEDY}") from None


def keep(folder: Path, question: str, trials: Sequence[Trial], students: Mapping[str, Any]) -> None:
    """Write them beside the runner, but for trials that there was no time for."""
    judged = [trial.as_json() for trial in trials if trial.ended != NO_TIME]
    content = {"question": question, "trials": judged}
    with atomic.file(folder / TRIALS) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1) + "\n")
    if students:
        buffer = io.BytesIO()
        torch.save(dict(students), buffer)
        with atomic.file(folder / STUDENTS) as unfinished:
            atomic.write_bytes(unfinished, buffer.getbuffer())
