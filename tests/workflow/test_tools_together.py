"""What users of DVC, Snakemake and git together report, on a graph of shell commands (docs/pipeline.md)."""

import os
import re
import shutil

import pytest
from merge_lock import merged
from workflow.conftest import Project, copy_project

UP_TO_DATE = "Data and pipelines are up to date."
NOTHING_TO_DO = "Nothing to be done"
PARTS = 4
GRAPH = """\
stages:
  source:
    cmd: cat given.txt > source.txt
    deps: [given.txt]
    params: [experiment]
    outs: [source.txt]
  part:
    matrix: {n: [0, 1, 2, 3]}
    cmd: sh part.sh ${item.n}
    deps: [part.sh, source.txt, "own-${item.n}.txt"]
    outs: ["part-${item.n}.txt"]
  whole:
    cmd: cat part-0.txt part-1.txt part-2.txt part-3.txt > whole.txt
    deps: [part-0.txt, part-1.txt, part-2.txt, part-3.txt]
    metrics: [{whole.txt: {cache: false}}]
  environment:
    cmd: cat weights/own.pt > environment.txt && echo "$MLFLOW_TRACKING_URI" >> environment.txt
    deps: [weights/own.pt]
    params: [prepare_dataset.generated.seed]
    outs: [{environment.txt: {cache: false}}]
"""
SCRIPT = "cat source.txt own-$1.txt > part-$1.txt\n"
MEETING = """\
set -e  # ends once all four are at work, or a minute or two have passed
touch here-$1
tries=0
until [ $(ls here-* | wc -l) = 4 ]; do sleep 0.05; tries=$((tries + 1)); [ $tries -lt 2400 ]; done
"""
LOOKS = (("dvc", "status"), ("snakemake", "--dry-run"), ("dvc", "repro"), ("snakemake", "--lint"))
REPRO = ("python", "-m", "workflow.repro")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The graph, run through and committed; its outputs are in DVC's cache and in a remote."""
    project = copy_project(tmp_path_factory.mktemp("together") / "base")
    shutil.copy(".gitattributes", project.folder)
    files = {"dvc.yaml": GRAPH, "part.sh": SCRIPT, "given.txt": "given\n", "weights/own.pt": "mine\n"}
    files |= {f"own-{n}.txt": f"{n}\n" for n in range(PARTS)}
    files[".gitignore"] = (project.folder / ".gitignore").read_text() + "/source.txt\n/part-*.txt\n"
    for name, text in files.items():
        (project.folder / name).write_text(text)
    project.run(*REPRO)
    project.run("dvc", "remote", "add", "--default", "store", "../store")
    project.commit()
    project.run("dvc", "push")
    return project


@pytest.fixture
def toy(base, tmp_path):
    """A copy of the graph for one test."""
    shutil.copytree(base.folder, tmp_path / "toy", symlinks=True)
    return Project(tmp_path / "toy")


def stale(project):
    """The stages that DVC would run."""
    return {
        line[:-1]
        for line in project.run("dvc", "status").splitlines()
        if line[:1].strip() and line[-1] == ":"
    }


def ran(said):
    """The stages that DVC ran, in what it printed."""
    return {line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage '")}


def touch(folder):
    """Give all files that git knows or DVC brought the time of now, as a clone does."""
    for path in folder.rglob("*"):
        if path.is_file() and not {".git", ".dvc", ".pipeline"} & set(path.relative_to(folder).parts):
            os.utime(path)


def nothing_is_left(project):
    assert UP_TO_DATE in project.run("dvc", "status")
    assert NOTHING_TO_DO in project.run("snakemake", "--dry-run")


def test_after_a_clone_and_dvc_pull_no_job_is_planned(base, tmp_path):
    base.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    (clone.folder / "weights" / "own.pt").write_text("mine\n")  # which git ignores
    shutil.copytree(base.folder.parent / "store", tmp_path / "store", dirs_exist_ok=True)
    clone.run("dvc", "pull")
    assert (clone.folder / "part-3.txt").read_text() == "given\n3\n"
    nothing_is_left(clone)


def test_new_times_plan_nothing_and_a_real_edit_plans_what_depends_on_it(toy):
    touch(toy.folder)
    nothing_is_left(toy)
    (toy.folder / "own-2.txt").write_text("3\n")  # as long as before
    assert stale(toy) == {"part@2"}
    planned = re.findall(r"^rule (\w+):", toy.run("snakemake", "--dry-run"), re.MULTILINE)
    assert set(planned) - {"all"} == {"part_2", "whole"}


def test_reading_the_graph_writes_no_file_of_the_project(toy):
    def files():
        own = {".git", ".dvc", ".pipeline", ".snakemake", "__pycache__"}
        found = [path for path in toy.folder.rglob("*") if path.is_file() and not own & set(path.parts)]
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in found}

    before = files()
    for look in LOOKS:
        toy.run(*look)
    assert files() == before
    assert toy.run("git", "status", "--porcelain") == ""


def test_independent_stages_run_side_by_side_and_a_failure_leaves_the_others_outputs(toy):
    (toy.folder / "part.sh").write_text(MEETING + '[ "$1" != 1 ] || exit 1\n' + SCRIPT)
    said = toy.run("snakemake", "-j4", check=False)
    assert stale(toy) == {"part@1", "whole"}, said
    assert [(toy.folder / f"part-{n}.txt").is_file() for n in range(PARTS)] == [True, False, True, True]


@pytest.mark.parametrize(
    ("command", "name", "edit"),
    [
        (REPRO, "source", "sed -i '/^experiment/s/street/other/' params.yaml"),
        (("snakemake",), "part@2", "echo more >> own-2.txt"),
    ],
    ids=["dvc and a parameter", "snakemake and a file"],
)
def test_what_is_edited_while_its_stage_runs_is_not_recorded_as_what_it_read(toy, command, name, edit):
    once = f"[ -e once ] || {{ touch once; {edit}; }}"
    if name == "source":
        (toy.folder / "dvc.yaml").write_text(GRAPH.replace("> source.txt", f"> source.txt; {once}"))
    else:
        (toy.folder / "part.sh").write_text(f'{SCRIPT}[ "$1" != 2 ] || {once}\n')
    said = toy.run(*command) + "".join(path.read_text() for path in toy.folder.glob("logs/*.log"))
    assert f"changed while {name} ran, which is recorded with what it began with, and is stale" in said
    assert stale(toy) == {name}
    toy.run(*command)
    assert stale(toy) == set()


def test_queued_experiments_see_the_store_and_the_ignored_files_that_they_are_given(toy, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////somewhere/mlflow.db")
    queue = ("dvc", "exp", "run", "--queue", "--copy-paths", "weights/own.pt")
    toy.run(*queue, "--name", "one", "--set-param", "prepare_dataset.generated.seed=1")
    toy.run("dvc", "exp", "run", "--run-all")
    toy.run("dvc", "exp", "apply", "one")
    assert (toy.folder / "environment.txt").read_text() == "mine\nsqlite:////somewhere/mlflow.db\n"
    assert stale(toy) == set()


def test_two_branches_are_merged_and_only_what_depends_on_both_runs_again(toy):
    for branch, n in (("one", 1), ("two", 2)):
        toy.run("git", "checkout", "--quiet", "-b", branch, "HEAD" if branch == "one" else "one~1")
        toy.run("dvc", "checkout")
        (toy.folder / f"own-{n}.txt").write_text(f"of {branch}\n")
        toy.run(*REPRO)
        toy.commit()
    toy.run("git", "merge", "one", check=False)
    assert "dvc.lock" in toy.run("git", "diff", "--name-only", "--diff-filter=U")
    said = toy.run("python", "-m", "workflow.merge_lock")
    assert "dvc.lock: merged; to run again: whole" in said
    toy.run("git", "checkout", "--ours", "--", "whole.txt")
    toy.run("dvc", "checkout")
    assert ran(toy.run(*REPRO)) == {"whole"}
    assert (toy.folder / "whole.txt").read_text() == "given\n0\ngiven\nof one\ngiven\nof two\ngiven\n3\n"
    toy.commit()
    nothing_is_left(toy)


def test_an_entry_that_both_branches_changed_in_different_ways_is_taken_away():
    base = {"a": 1, "b": 1, "c": 1, "d": 1, "gone": 1}
    ours = {"a": 2, "b": 1, "c": 2, "d": 2, "mine": 1, "gone": 1}
    theirs = {"a": 1, "b": 2, "c": 3, "d": 2, "theirs": 1}
    assert merged(base, ours, theirs) == {"a": 2, "b": 2, "d": 2, "mine": 1, "theirs": 1}


def test_without_a_conflict_there_is_nothing_to_merge(toy):
    assert "no dvc.lock is in conflict" in toy.run("python", "-m", "workflow.merge_lock", check=False)
