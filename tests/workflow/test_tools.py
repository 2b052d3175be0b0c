"""DVC and Snakemake agree about what is up to date, and DVC's own commands work, on the real graph."""

import csv
import re
import shutil

import pytest

UP_TO_DATE = "Data and pipelines are up to date."
NOTHING_TO_DO = "Nothing to be done"
LOCKED = ("python", "-m", "workflow.pipeline_lock", "true")  # as every target of make begins


def stale(project):
    """Addresses of the stages that DVC would run."""
    return set(re.findall(r"^(\S+@\S+):$", project.run("dvc", "status"), re.MULTILINE))


def experiments(project):
    """The rows of DVC's table of experiments; the workspace and the commit among them."""
    return list(csv.DictReader(project.run("dvc", "exp", "show", "--csv", "--no-pager").splitlines()))


def test_after_dvc_snakemake_finds_nothing_to_do(finished):
    assert UP_TO_DATE in finished.run("dvc", "status")
    assert NOTHING_TO_DO in finished.run("snakemake", "--dry-run")


def test_after_snakemake_dvc_finds_nothing_to_do(finished):
    finished.set("analyze_consistency.dis_preset", "fast")
    assert {name.split("@")[0] for name in stale(finished)} == {"analyze_consistency"}
    ran = finished.run("snakemake")
    assert "analyze_consistency_street_0_delta" in ran
    assert "distill_street_0_delta" not in ran
    assert UP_TO_DATE in finished.run("dvc", "status")
    assert NOTHING_TO_DO in finished.run("snakemake", "--dry-run")
    finished.run("snakemake", "--report", "report.html")
    assert "analyze_consistency_street_0_delta" in (finished.folder / "report.html").read_text()


def test_a_label_and_a_colour_make_the_report_stale_and_no_evaluation(finished):
    finished.set("write_report.shown_as", {"delta": {"label": "Ours", "colour": "#12ab9f"}})
    assert {name.split("@")[0] for name in stale(finished)} == {"write_report"}


def test_a_failed_stage_stops_what_depends_on_it_and_nothing_else(finished):
    script = finished.folder / "stages" / "analyze_consistency.py"
    script.write_text("import sys; sys.exit('no luck' if 'copy' in sys.argv else " + "'not this one')\n")
    finished.set("measure_latency.runs", 61)
    said = finished.run("snakemake", check=False)
    assert "no luck" in said
    assert {name.split("@")[0] for name in stale(finished)} == {"analyze_consistency", "write_report"}


def test_a_list_of_busy_files_that_a_killed_job_left_half_written_stops_nothing(finished):
    busy = finished.folder / ".dvc" / "tmp" / "rwlock"
    busy.write_text("")
    assert "corrupted" in finished.run("dvc", "status", check=False)
    assert NOTHING_TO_DO in finished.run("snakemake", "--dry-run")
    assert UP_TO_DATE in finished.run("dvc", "status")


@pytest.mark.parametrize("share", [0, 0.4, 0.7])
@pytest.mark.parametrize("command", [("snakemake", "--dry-run"), LOCKED], ids=["snakemake", "make"])
def test_a_dvc_lock_that_was_cut_off_comes_back(finished, command, share):
    lock = finished.folder / "dvc.lock"
    whole = lock.read_bytes()
    finished.run(*LOCKED)  # any pipeline before
    cut = whole[: int(share * len(whole))]
    lock.write_bytes(cut[: cut.rfind(b"cmd:")])  # where DVC refuses it
    assert finished.run("dvc", "status", check=False).count("validation failed") or share == 0
    said = finished.run(*command)
    assert "dvc.lock was left half-written by a killed process, and is as it was at" in said
    assert lock.read_bytes() == whole
    assert UP_TO_DATE in finished.run("dvc", "status")


def test_a_dvc_lock_that_was_cut_off_without_a_copy_is_taken_away(finished):
    kept = finished.folder / ".pipeline" / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    (finished.folder / "dvc.lock").write_bytes(b"")
    said = finished.run(*LOCKED)
    assert "dvc.lock was left half-written by a killed process, and is taken away" in said
    assert "prepare_dataset@street" in stale(finished)


def test_another_experiment_and_back_leaves_both_up_to_date(finished):
    finished.set("experiment", "other")
    assert "pretrain_teacher@other-0" in stale(finished)
    finished.run("dvc", "repro", "pretrain_teacher@other-0")
    assert not {"prepare_dataset@other", "pretrain_teacher@other-0"} & stale(finished)
    finished.set("experiment", "street")
    assert UP_TO_DATE in finished.run("dvc", "status")
    assert (finished.folder / "results" / "other" / "prepare_dataset" / "dataset.json").is_file()


def test_a_retrained_variant_leaves_the_evaluation_of_the_others_up_to_date(finished):
    finished.set("distill.trainings.delta.method", "feature")
    finished.run("dvc", "repro", "--single-item", "distill@street-0-delta")
    finished.run("dvc", "repro", "--single-item", "collect_networks@street-0")
    assert {name for name in stale(finished) if name.startswith("sweep")} == {
        "sweep_sequence_length@street-0-delta"
    }


def test_params_metrics_and_plots_can_be_compared_with_the_commit(finished):
    finished.set("distill.trainings.delta.method", "feature")
    finished.run("dvc", "repro")
    assert "distill.trainings.delta.method" in finished.run("dvc", "params", "diff")
    changed = finished.run("dvc", "metrics", "diff")
    assert "results/street/per_seed/seed0/sweep_sequence_length/delta/sweep.json" in changed
    assert "sweep_sequence_length/finetuned" not in changed
    finished.run("dvc", "plots", "show", "--out", "plots")
    page = (finished.folder / "plots" / "index.html").read_text()
    assert "accuracy against the sequence length" in page
    assert "training loss" in page


def test_an_experiment_runs_from_the_command_line_with_another_value(finished):
    finished.run(
        "dvc", "exp", "run", "--name", "faster", "--set-param", "analyze_consistency.dis_preset=fast"
    )
    shown = finished.run("dvc", "exp", "show", "--csv", "--no-pager")
    assert "faster" in shown
    assert "fast" in (finished.folder / "params.yaml").read_text()


def test_queued_values_run_side_by_side_and_only_what_they_change(finished):
    """Beside experiments and files of other tests."""
    status, before = (
        finished.run("git", "status", "--porcelain"),
        {row["rev"] for row in experiments(finished)},
    )
    finished.run("dvc", "exp", "run", "--queue", "--set-param", "distill.loss.beta=0.3,1.2")
    said = finished.run("dvc", "exp", "run", "--run-all", "--jobs", "2")
    assert "Running stage 'pretrain_teacher" not in said
    new = [row["distill.loss.beta"] for row in experiments(finished) if row["rev"] not in before]
    assert sorted(new) == ["0.3", "1.2"]
    assert finished.run("dvc", "queue", "status").count("Success") == 2
    assert finished.run("git", "status", "--porcelain") == status


@pytest.mark.parametrize(
    "command", ["status", "repro --dry --allow-missing", "metrics show", "params diff", "plots show", "dag"]
)
def test_a_fresh_clone_understands(finished, tmp_path, command):
    finished.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = type(finished)(tmp_path / "clone")
    assert clone.run("dvc", *command.split()) is not None
