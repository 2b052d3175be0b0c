"""A denoiser and its students through all stages, at toy size (experiments/smoke_ddpm.yaml)."""

import json
import sys

import pytest
import smoke

NAME = "smoke_ddpm"

pytestmark = pytest.mark.published


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A repository in which the pipeline ran through."""
    return smoke.run_through(tmp_path_factory.mktemp(NAME), NAME)


def test_the_summary_has_how_much_noise_is_told_beside_macs_and_memory(folder):
    variants = json.loads((folder / "results" / NAME / "summary.json").read_text())["variants"]
    assert set(variants) == {"teacher", "red", "plain"}
    assert all({"noise_told", "gmacs", "peak_mib"} <= set(v["1"]) for v in variants.values())
    peaks = {name: each["1"]["peak_mib"] for name, each in variants.items()}
    assert peaks["red"] == round(peaks["teacher"] / 4, 4)  # the summary has four decimals


def test_stills_have_no_consistency(folder):
    found = folder / "results" / NAME / "per_seed/seed0/analyze_consistency/red/consistency.json"
    assert '"consistency": null' in found.read_text()


def test_pictures_of_all_its_networks_are_scored(folder):
    artifacts = folder / "artifacts" / NAME / "seed0"
    networks = {"teacher": "pretrain_teacher/teacher.pt", "red": "distill/red/network.pt"}
    command = [sys.executable, "benchmarks/diffusion.py", "--data", f"data/{NAME}", "--steps", "2"]
    command += ["--seeds", "0", "--features", "features.pt", "--out", "scores.json"]
    command += [f"{name}={artifacts / path}" for name, path in networks.items()]
    smoke.call(folder, (sys.executable, "-c", _CLASSIFIER))
    smoke.call(folder, command)
    found = json.loads((folder / "scores.json").read_text())["networks"]
    assert set(found) == {"train", "teacher", "red"}
    assert found["red"]["scores"][0]["fid"] > 0


_CLASSIFIER = """
from deltadistill import models
from deltadistill.stored.network_file import save_network
model = {"name": "small_resnet", "classes": 5, "options": {"width": 4}}
save_network("features.pt", models.build(model["name"], classes=5, width=4), model)
"""
