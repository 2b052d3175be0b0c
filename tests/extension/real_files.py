"""Small files in the layouts of published weights that examples/ reads, and stages run in this process."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from deltadistill.pipeline.experiments import values_under

ROOT = Path(__file__).resolve().parents[2]
HEADS = 124  # channels of a head of NanoDet-g
CHANNELS = 32  # enough that students of at least eight are cheaper


def write_nanodet(folder):
    """nanodet.json and .bin with a convolution for each of the three heads and two before them."""
    shapes = {"stem": (1, 1, 3, CHANNELS), "body": (3, 3, CHANNELS, CHANNELS)}
    shapes |= {f"head{step}": (1, 1, CHANNELS, HEADS) for step in (1, 2, 4)}
    draws = np.random.default_rng(0)
    constants = {f"{name}/kernel": draws.normal(0, 0.2, shape) for name, shape in shapes.items()}
    constants = {name: np.asarray(value, "<f4") for name, value in constants.items()}
    constants["pads"] = np.array([[0, 0], [0, 0], [1, 1], [1, 1]], "<i4")
    (folder / "nanodet.bin").write_bytes(b"".join(value.tobytes() for value in constants.values()))
    weights = [
        {"name": name, "shape": list(value.shape), "dtype": value.dtype.name}
        for name, value in constants.items()
    ]
    nodes = [{"name": "input", "op": "Placeholder", "attr": {}}, _convolution("stem", "input", 8)]
    nodes += [{"name": "padded", "op": "Pad", "input": ["stem", "pads"], "attr": {}}]
    nodes += [_convolution("body", "padded", 1)]
    nodes += [_convolution(f"head{step}", "body", step) for step in (1, 2, 4)]
    content = {"modelTopology": {"node": nodes}}
    content["weightsManifest"] = [{"paths": ["nanodet.bin"], "weights": weights}]
    (folder / "nanodet.json").write_text(json.dumps(content))
    return folder / "nanodet.json"


def _convolution(name, before, step):
    steps = {"list": {"i": ["1", str(step), str(step), "1"]}}
    return {
        "name": name,
        "op": "Conv2D",
        "input": [before, f"{name}/kernel"],
        "attr": {"strides": steps},
    }


def parameters_of(experiment, path, change):
    """Write the parameters of an experiment of experiments/, changed, to `path`."""
    values = values_under(ROOT / "experiments" / f"{experiment}.yaml")
    change(values)
    with path.open("w") as file:
        YAML(typ="safe").dump(values, file)


def run_stage(monkeypatch, name, given):
    """Run a stage here, with its arguments as a line."""
    monkeypatch.setattr(sys, "argv", [name, *given.split()])
    runpy.run_path(str(ROOT / "stages" / f"{name}.py"), run_name="__main__")
