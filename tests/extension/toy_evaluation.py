"""The stages that evaluate a variant, at toy size and in this process."""

import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from data.small_dataset import make_manifest
from ruamel.yaml import YAML

from deltadistill import models
from deltadistill.stored.network_file import save_network

STAGES = Path(__file__).resolve().parents[2] / "stages"
MODEL = {"name": "ddrnet23_slim", "classes": 8, "options": {"width": 4, "stem_strides": [2, 1]}}
RESULTS = {
    "sweep_sequence_length": "sweep.json",
    "evaluate_videos": "videos.json",
    "analyze_consistency": "consistency.json",
    "measure_latency": "latency.json",
}
EACH = ("sweep_sequence_length", "analyze_consistency", "measure_latency")


def evaluated(
    folder: Path,
    monkeypatch,
    name: str,
    entry: dict,
    *,
    stages: Sequence[str] = EACH,
    schedules: dict | None = None,
    engines: Sequence[str] | None = None,
) -> list[dict]:
    """Take a variant with untrained networks through stages that evaluate it; return their results.

    engines: that measure_latency times; None: those of params.yaml.
    Modules that lie in `folder` can be named in the entry and in the schedules of evaluate_videos.
    """
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", [*sys.path])  # as a script has it: without the folder it is run from
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another test
    monkeypatch.setenv("DELTADISTILL_TRACKING", "off")
    make_manifest(folder, flow=True).write(folder / "manifest.csv")
    beside = entry.get("networks", {})
    narrow = [f"{name}.{argument}" for argument in beside] + [f"{each}/network" for each in beside.values()]
    for file in ("teacher", name, *narrow):
        options = MODEL["options"] | ({"width": 2} if file in narrow else {})
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        network = models.build(MODEL["name"], classes=8, **options)
        save_network(folder / f"{file}.pt", network, MODEL | {"options": options})
    params = YAML(typ="safe").load(STAGES.parent / "params.yaml")
    params["variants"] = {"teacher": params["variants"]["teacher"], name: entry}
    params["sweep_sequence_length"]["lengths"] = params["write_report"]["picture_lengths"] = [1, 3]
    params["evaluate_videos"] |= {"variants": [name]} | ({"schedules": schedules} if schedules else {})
    params["measure_latency"] |= {"runs": 5, "warmup": 0, "batches": [1, 2], "threads": [1]}
    params["measure_latency"] |= {"engines": engines} if engines else {}
    YAML().dump(params, Path("params.yaml"))
    variant = f"--variant {name} --network {name}.pt"
    given = {"analyze_consistency": variant, "measure_latency": "--teacher teacher.pt --artifacts ."}
    given["evaluate_videos"] = f"{variant} --teacher teacher.pt"
    given["sweep_sequence_length"] = f"{given['evaluate_videos']} --artifacts ."
    for stage in stages:
        monkeypatch.setattr("sys.argv", [stage, "--data", ".", "--results", ".", *given[stage].split()])
        runpy.run_path(str(STAGES / f"{stage}.py"), run_name="__main__")
    return [json.loads(Path(RESULTS[stage]).read_text()) for stage in stages]
