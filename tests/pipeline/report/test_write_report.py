"""The stage write_report, from a results tree to page, summary and figures."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]


def write_params(tree):
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["experiment"] = tree.experiment
    params["seeds"] = list(tree.seeds)
    small = {"method": "small", "options": {"width": 11}}
    trained = params["distill"]["trainings"] | {"small": small}
    compared = params["variants"] | {"small": {"network": "distill/small", "predict": "per_frame"}}
    params["distill"]["trainings"] = {name: trained[name] for name in tree.distilled}
    params["variants"] = {name: compared[name] for name in tree.variants}
    if "finetuned" not in tree.distilled:
        params["variants"]["copy"]["network"] = "pretrain_teacher"
    params["write_report"]["picture_lengths"] = [3, 10]
    path = tree.base / "params.yaml"
    YAML().dump(params, path)
    return path


def run_stage(tree, monkeypatch):
    monkeypatch.setenv("DELTADISTILL_TRACKING", "off")
    arguments = {"params": write_params(tree), "data": tree.data}
    arguments |= {"artifacts": tree.artifacts, "results": tree.results}
    given = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["write_report.py", *given])
    spec = importlib.util.spec_from_file_location("write_report", ROOT / "stages" / "write_report.py")
    stage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stage)
    stage.main()


def test_the_stage_writes_page_summary_figures_and_provenance(tree, monkeypatch):
    run_stage(tree, monkeypatch)
    assert "<title>Delta distillation on street</title>" in (tree.results / "report.html").read_text()
    assert json.loads((tree.results / "summary.json").read_text())["experiment"] == "street"
    assert (tree.results / "figures/miou_against_length.png").stat().st_size > 10_000
    assert (tree.results / "figures/accuracy_against_macs.png").stat().st_size > 10_000
    assert json.loads((tree.results / "provenance.json").read_text())["stage"] == "write_report"
    assert (tree.results / "animations/clip.webp").stat().st_size > 1000
    assert not (tree.results / "animations/overlay.mp4").exists()


def test_a_video_also_gets_an_overlay(build, tmp_path, monkeypatch):
    tree = build(tmp_path, video=True)
    run_stage(tree, monkeypatch)
    assert 1000 < (tree.results / "animations/overlay.mp4").stat().st_size < 5e6
    assert 1000 < (tree.results / "animations/overlay.webp").stat().st_size < 1e6


def test_a_missing_result_stops_the_stage_before_anything_is_written(tree, monkeypatch):
    (tree.results / "per_seed/seed0/analyze_consistency/delta/consistency.json").unlink()
    with pytest.raises(ValueError, match=r"analyze_consistency \(delta\)"):
        run_stage(tree, monkeypatch)
    assert not (tree.results / "report.html").exists()
    assert not (tree.results / "summary.json").exists()
