"""Stages from outside: a folder in extensions/, which DVC and Snakemake both run in order."""

import re

import pytest

PROJECT = """
vars:
  - ../../params.yaml
stages:
  measure_speed:
    wdir: ../..
    matrix:
      experiment: ["${experiment}"]
    cmd: python extensions/code/measure_speed.py results/${experiment}/speed.txt
    deps:
      - artifacts/${experiment}/code/extensions/measure_speed.json
      - data/${experiment}/manifest.csv
    outs: ["results/${experiment}/speed.txt"]
    params: [seeds]
    meta:
      resources: {mem_mb: 300}
  draw_speed:
    wdir: ../..
    matrix:
      experiment: ["${experiment}"]
    cmd: cp results/${experiment}/speed.txt results/${experiment}/drawing.txt
    deps: ["results/${experiment}/speed.txt"]
    outs: ["results/${experiment}/drawing.txt"]
"""
SCRIPT = """
import sys, pathlib
pathlib.Path(sys.argv[1]).write_text("fast")"""
MEASURE, DRAW = (f"extensions/speed/dvc.yaml:{name}_speed@street" for name in ("measure", "draw"))


@pytest.fixture
def project(finished):
    (finished.folder / "extensions" / "speed").mkdir()
    (finished.folder / "extensions/speed/dvc.yaml").write_text(PROJECT)
    (finished.folder / "extensions/code/measure_speed.py").write_text(SCRIPT)
    yield finished
    finished.run("git", "clean", "-fdq", "extensions")


def test_both_tools_run_them_in_order_and_again_where_their_code_changes(project):
    said = project.run("dvc", "repro", "dvc.yaml", "extensions/speed/dvc.yaml")
    assert said.index("trace_code@") < said.index(f"{MEASURE}':") < said.index(f"{DRAW}':")
    assert "up to date" in project.run("dvc", "status")
    assert "Nothing to be done" in project.run("snakemake", "--dry-run")

    (project.folder / "extensions/code/measure_speed.py").write_text(SCRIPT.replace("fast", "slow"))
    project.set("resources", {"measure_speed": {"mem_mb": 700}})
    said = project.run("snakemake")
    ran = re.findall(r"rule extensions_speed_(\w+)_street:", said)
    assert ran == ["measure_speed", "draw_speed"], said
    assert "mem_mb=700" in said
    assert (project.folder / "results/street/drawing.txt").read_text() == "slow"
    assert "up to date" in project.run("dvc", "status")
    assert "Nothing to be done" in project.run("snakemake", "--dry-run")
