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
SURE = 0.2  # a picture's brightness, and so where people are seen


def write_nanodet(folder):
    """nanodet.json and .bin with a convolution for each of the three heads and one before them."""
    draws = np.random.default_rng(0)
    kernels = {"stem": draws.normal(0, 0.3, (1, 1, 3, 4))}
    kernels |= {f"head{stride}": draws.normal(0, SURE, (1, 1, 4, HEADS)) for stride in (8, 16, 32)}
    values = [np.asarray(kernel, "<f4") for kernel in kernels.values()]
    (folder / "nanodet.bin").write_bytes(b"".join(value.tobytes() for value in values))
    weights = [
        {"name": f"{name}/kernel", "shape": list(value.shape), "dtype": "float32"}
        for name, value in zip(kernels, values, strict=True)
    ]
    nodes = [{"name": "input", "op": "Placeholder", "attr": {}}]
    nodes += [_convolution("stem", "input", 1)]
    nodes += [_convolution(name, "stem", int(name[4:])) for name in kernels if name != "stem"]
    content = {"modelTopology": {"node": nodes}}
    content["weightsManifest"] = [{"paths": ["nanodet.bin"], "weights": weights}]
    (folder / "nanodet.json").write_text(json.dumps(content))
    return folder / "nanodet.json"


def _convolution(name, before, stride):
    steps = {"list": {"i": ["1", str(stride), str(stride), "1"]}}
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
