"""The real stages at toy size, through both tools (make smoke), and what they leave behind."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = {"finetuned", "delta", "feature", "copy", "small"}
POINT = {"miou", "gmacs", "macs_ratio", "consistency"}
STAGES_RUN = 21  # all but collect_networks, which measures nothing

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The folder in which make smoke's script ran through, and what it printed."""
    folder = tmp_path_factory.mktemp("smoke")
    done = subprocess.run(
        [sys.executable, "workflow/smoke.py", "--folder", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder, done.stdout


@pytest.fixture(scope="module", params=["dvc", "snakemake"])
def results(smoke, request):
    return smoke[0] / request.param / "results" / "smoke"


def dvc(folder: Path, *command: str) -> str:
    tool = Path(sys.executable).with_name("dvc")
    done = subprocess.run([tool, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_after_each_tool_the_other_finds_nothing_to_do(smoke):
    for tool in ("dvc", "snakemake"):
        for command in ("dvc status", "snakemake --dry-run"):
            assert f"after {tool}, {command}: nothing to do" in smoke[1]


def test_the_summary_has_the_published_form(results):
    summary = json.loads((results / "summary.json").read_text())
    assert set(summary["variants"]) == VARIANTS | {"teacher"}
    for points in summary["variants"].values():
        assert set(points) == {"1", "2", "3"}
        assert all(set(point) >= POINT for point in points.values())
    assert {"miou", "gmacs"} <= set(summary["teacher"])
    assert summary["seeds"] == [0]
    assert {"prepare_dataset", "pretrain_teacher", "distill", "measure_latency"} <= set(summary["minutes"])
    for length, point in summary["variants"]["copy"].items():
        assert point["macs_ratio"] == pytest.approx(1 / int(length), rel=1e-3)


def test_every_stage_run_says_where_it_comes_from(results):
    records = [json.loads(path.read_text()) for path in results.rglob("provenance.json")]
    assert len(records) == STAGES_RUN
    assert len({record["commit"] for record in records}) == 1
    assert not any(record["dirty"] for record in records)


def test_mlflow_has_one_finished_parent_with_headline_figures_and_a_child_per_stage(smoke):
    with sqlite3.connect(smoke[0] / "snakemake" / "mlflow.db") as database:
        children = database.execute("select count(*) from tags where key = 'mlflow.parentRunId'").fetchone()[
            0
        ]
        parents = database.execute(
            "select status from runs where run_uuid in (select run_uuid from tags where key = 'execution')"
        ).fetchall()
        headline = database.execute(
            "select count(*) from latest_metrics where key like 'final/%'"
        ).fetchone()[0]
        models = database.execute("select count(*) from logged_models").fetchone()[0]
        per_class = database.execute("select count(*) from latest_metrics where key like 'iou/%'").fetchone()[
            0
        ]
    assert per_class == 8
    assert children == STAGES_RUN
    assert parents == [("FINISHED",)]
    assert headline > 0
    assert models == 5  # the teacher, finetuned, delta, feature, small


def test_metrics_and_plots_can_be_compared_with_the_commit(smoke):
    folder = smoke[0] / "dvc"
    assert "summary.json" in dvc(folder, "metrics", "diff")
    dvc(folder, "plots", "show", "--out", "plots")
    page = (folder / "plots" / "index.html").read_text()
    for title in ("Teacher, seed 0: training loss", "delta, seed 0: accuracy against the sequence length"):
        assert title in page
