"""Two steps of every stage in a temporary copy, on a few frames of the real data set."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from check.excerpt import excerpt
from check.findings import Finding, gib
from check.trial_parameters import clip_frames
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Manifest
from deltadistill.pipeline import tracking
from deltadistill.pipeline.provenance import Provenance, stage_params
from deltadistill.preparation.contact_sheet import draw_contact_sheet
from deltadistill.processes import launch

_STAGE = "prepare_dataset"


def prepare(copy: Path, values: dict[str, Any], manifest: Manifest) -> None:
    """Make `copy` a project with these parameters, whose data set is made and small.

    Raises ValueError where no clip is long enough.
    """
    with (copy / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(values, file)
    data = copy / "data" / values["experiment"]
    results = copy / "results" / values["experiment"] / _STAGE
    for folder in (data, results):
        folder.mkdir(parents=True, exist_ok=True)
    excerpt(manifest, frames=clip_frames(values)).write(data / "manifest.csv")
    shutil.copyfile(data / "dataset.json", results / "dataset.json")
    draw_contact_sheet(FrameStore(Manifest.read(data / "manifest.csv")), results / "contact_sheet.png")
    Provenance(_STAGE, stage_params(values, _STAGE)).write(results)


def run(copy: Path, said: list[str]) -> Iterator[Finding]:
    """Run the stages in the copy; a finding for each, as it ends. said: what was made smaller."""
    environment = os.environ | {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        launch.PROCESSES: "1",
        tracking.SWITCH: "off",
    }
    command = [sys.executable, str(Path("workflow", "check", "stages.py"))]
    needed = "two steps" + (f" with {', '.join(said)}" if said else "")
    log = copy / "check.log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=file, text=True
        ) as child,
    ):
        for line in child.stdout:
            yield _finding(json.loads(line), needed)
    if child.returncode:
        said = log.read_text().strip().splitlines() or ["its process was killed; is there enough memory?"]
        yield Finding("stages", f"ended with exit code {child.returncode}", "0", said[-1])


def _finding(row: dict[str, Any], needed: str) -> Finding:
    if row["fault"]:
        return Finding(row["stage"], "failed", needed, row["fault"])
    found = f"{row['seconds']:.0f} s, {gib(row['peak'])} at most so far"
    return Finding(row["stage"], found, needed)
