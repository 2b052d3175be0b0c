"""Two pipelines in one checkout: the second says who is at work and waits; nothing is done twice."""

import json
import os
import shutil
import subprocess
import time

import pipeline_lock
import pytest
from workflow.conftest import copy_project, put_stand_ins

from deltadistill.files import commented_yaml

UP_TO_DATE = "Data and pipelines are up to date."
DVC = ("python", "-m", "workflow.pipeline_lock", "sh", "-c", "dvc repro")
SNAKEMAKE = ("snakemake",)
STAGE = "prepare_dataset@street"
JOB = ("python", "-m", "workflow.run_stage", STAGE)
SLOW = """\
import os, time
with open("prepared", "a") as file:
    print(os.getpid(), file=file)
while not os.path.exists("go"):
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The first two stages with stand-ins; preparing the data set waits for the file `go`."""
    copied = copy_project(tmp_path_factory.mktemp("two"))
    put_stand_ins(copied)
    graph = commented_yaml.load(copied.folder / "dvc.yaml")
    for stage in list(graph["stages"])[2:]:
        del graph["stages"][stage]
    (copied.folder / "dvc.yaml").write_text(commented_yaml.dump(graph))
    script = copied.folder / "stages" / "prepare_dataset.py"
    script.write_text(SLOW + script.read_text())
    return copied


@pytest.fixture
def project_once(project):
    """The project with one stage stale, which waits; a pipeline that a failed test leaves is let go."""
    for name in ("go", "prepared"):
        (project.folder / name).unlink(missing_ok=True)
    (project.folder / "results/street/prepare_dataset/dataset.json").unlink(missing_ok=True)
    yield project
    (project.folder / "go").touch()


def start(project, command, log):
    with (project.folder / log).open("w") as output:
        return subprocess.Popen(
            command, cwd=project.folder, env=project.environment, stdout=output, stderr=output
        )


def wait_until(condition, process):
    began = time.monotonic()
    while not condition():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() - began < 120
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("first", "second"), [(DVC, SNAKEMAKE), (SNAKEMAKE, DVC), (SNAKEMAKE, SNAKEMAKE), (DVC, DVC)]
)
def test_the_second_says_who_is_at_work_and_waits(project_once, first, second):
    folder = project_once.folder
    one = start(project_once, first, "one.log")
    wait_until((folder / "prepared").exists, one)
    two = start(project_once, second, "two.log")
    wait_until(lambda: "another pipeline is at work" in (folder / "two.log").read_text(), two)
    said = (folder / "two.log").read_text()
    assert f"{'sh -c dvc repro' if first == DVC else 'snakemake'} (process {one.pid} on " in said
    assert ", since 20" in said
    assert "waiting for its end" in said
    (folder / "go").touch()
    assert one.wait() == 0, (folder / "one.log").read_text()
    assert two.wait() == 0, (folder / "two.log").read_text()
    assert len((folder / "prepared").read_text().split()) == 1
    assert UP_TO_DATE in project_once.run("dvc", "status")


@pytest.mark.parametrize(
    ("leftover", "said"),
    [
        (("dvc", "repro", STAGE), f"waiting for {STAGE}"),
        (JOB, f"an earlier pipeline has left at work: {STAGE} (process "),
    ],
)
def test_a_stage_that_is_left_at_work_for_the_first_time_is_waited_for(project_once, leftover, said):
    folder = project_once.folder
    (folder / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(folder / ".dvc/cache/runs", ignore_errors=True)  # or DVC would restore what it ran before
    one = start(project_once, leftover, "one.log")
    wait_until((folder / "prepared").exists, one)
    two = start(project_once, SNAKEMAKE, "two.log")
    wait_until(lambda: said in (folder / "two.log").read_text(), two)
    (folder / "go").touch()
    assert one.wait() == 0, (folder / "one.log").read_text()
    assert two.wait() == 0, (folder / "two.log").read_text()
    assert len((folder / "prepared").read_text().split()) == 1
    assert UP_TO_DATE in project_once.run("dvc", "status")


def test_of_two_jobs_of_a_stage_the_second_waits_and_finds_it_done(project_once):
    """Where DVC takes the first for dead, as it does with a job of another machine."""
    folder = project_once.folder
    one = start(project_once, JOB, "one.log")
    wait_until((folder / "prepared").exists, one)
    busy = folder / ".dvc/tmp/rwlock"
    assert STAGE.split("@")[0] in busy.read_text()
    busy.write_text("{}")
    two = start(project_once, JOB, "two.log")
    wait_until(lambda: "is at work; waiting for its end" in (folder / "two.log").read_text(), two)
    assert f"{STAGE} (process {one.pid} on " in (folder / "two.log").read_text()
    (folder / "go").touch()
    assert one.wait() == 0, (folder / "one.log").read_text()
    assert two.wait() == 0, (folder / "two.log").read_text()
    assert len((folder / "prepared").read_text().split()) == 1
    assert STAGE in (folder / "dvc.lock").read_text()


def test_a_look_beside_a_job_left_at_work_says_so_and_does_not_wait(project_once):
    folder = project_once.folder
    one = start(project_once, JOB, "one.log")
    wait_until((folder / "prepared").exists, one)
    said = project_once.run("snakemake", "--dry-run")
    assert f"an earlier pipeline has left at work: {STAGE} (process {one.pid} on " in said
    assert "this only looks" in said
    (folder / "go").touch()
    assert one.wait() == 0, (folder / "one.log").read_text()


def test_a_look_does_not_wait(project_once):
    folder = project_once.folder
    one = start(project_once, SNAKEMAKE, "one.log")
    wait_until((folder / "prepared").exists, one)
    said = project_once.run("snakemake", "--dry-run")
    assert "this only looks" in said
    assert "prepare_dataset_street" in said
    (folder / "go").touch()
    assert one.wait() == 0, (folder / "one.log").read_text()
    assert UP_TO_DATE in project_once.run("dvc", "status")


def test_an_overlay_waits_for_the_pipeline_that_reads_the_parameters(project_once):
    folder = project_once.folder
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "experiments" / "short.yaml").write_text("experiment: short\n")
    one = start(project_once, SNAKEMAKE, "one.log")
    wait_until((folder / "prepared").exists, one)
    put = (*DVC[:3], "python", "-m", "deltadistill.pipeline.experiments", "put", "experiments/short.yaml")
    two = start(project_once, put, "two.log")
    wait_until(lambda: "another pipeline is at work" in (folder / "two.log").read_text(), two)
    assert "experiment: street" in (folder / "params.yaml").read_text()
    (folder / "go").touch()
    assert (one.wait(), two.wait()) == (0, 0)
    assert "experiment: short" in (folder / "params.yaml").read_text()
    project_once.run("python", "-m", "deltadistill.pipeline.experiments", "off")


def test_a_command_under_the_lock_may_call_snakemake(project_once):
    (project_once.folder / "go").touch()
    said = project_once.run(*DVC[:3], "sh", "-c", "snakemake && snakemake")
    assert "another pipeline" not in said
    assert "Nothing to be done" in said


def test_the_lock_of_a_killed_holder_is_free(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(pipeline_lock.__file__)}
    hold = (
        "import os, pipeline_lock, signal; pipeline_lock.take('first'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run(["python", "-c", hold], cwd=tmp_path, env=environment, check=False)
    assert json.loads((tmp_path / ".pipeline/lock").read_text())["command"] == "first"
    take = "import pipeline_lock; print(pipeline_lock.take('second', wait=False))"
    done = subprocess.run(
        ["python", "-c", take], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--cores", "2"], False),
        (["-n"], True),
        (["--report=page.html"], True),
        (["--config", "sweep=n"], False),
    ],
)
def test_looks_are_told_by_their_options(arguments, expected):
    assert pipeline_lock.only_looks(arguments) is expected
