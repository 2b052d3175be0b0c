"""The stages that evaluate a variant, at toy size and in this process."""

import json
import runpy
import sys
from pathlib import Path

from data.small_dataset import make_manifest
from ruamel.yaml import YAML

from deltadistill import models
from deltadistill.stored.network_file import save_network

STAGES = Path(__file__).resolve().parents[2] / "stages"
MODEL = {"name": "ddrnet23_slim", "classes": 8, "options": {"width": 4, "stem_strides": [2, 1]}}
RESULTS = {
    "sweep_sequence_length": "sweep.json",
    "analyze_consistency": "consistency.json",
    "measure_latency": "latency.json",
}


def evaluated(folder: Path, monkeypatch, name: str, entry: dict) -> list[dict]:
    """Take a variant with an untrained network through sweep, consistency and latency; return their results.

    Modules that lie in `folder` can be named in the entry.
    """
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", [*sys.path])  # as a script has it: without the folder it is run from
    monkeypatch.setenv("DELTADISTILL_TRACKING", "off")
    make_manifest(folder, flow=True).write(folder / "manifest.csv")
    for file in ("teacher.pt", f"{name}.pt"):
        save_network(folder / file, models.build(MODEL["name"], classes=8, **MODEL["options"]), MODEL)
    params = YAML(typ="safe").load(STAGES.parent / "params.yaml")
    params["variants"] = {"teacher": params["variants"]["teacher"], name: entry}
    params["sweep_sequence_length"]["lengths"] = params["write_report"]["picture_lengths"] = [1, 3]
    params["measure_latency"] |= {"runs": 5, "warmup": 0, "batches": [1, 2], "threads": [1]}
    YAML().dump(params, Path("params.yaml"))
    variant = f"--variant {name} --network {name}.pt"
    given = [f"{variant} --teacher teacher.pt --artifacts .", variant, "--teacher teacher.pt --artifacts ."]
    for stage, arguments in zip(RESULTS, given, strict=True):
        monkeypatch.setattr("sys.argv", [stage, "--data", ".", "--results", ".", *arguments.split()])
        runpy.run_path(str(STAGES / f"{stage}.py"), run_name="__main__")
    return [json.loads(Path(result).read_text()) for result in RESULTS.values()]
