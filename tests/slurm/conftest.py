"""A Slurm of one machine with fake GPUs, and the real graph with stand-ins run through both profiles."""

import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from workflow.conftest import STAND_IN, Project, copy_project

from deltadistill import commented_yaml

HERE = Path(__file__).parent
PROFILES = ("slurm", "generic")
NOT_HERE = 3  # exit code of up.sh
PATIENCE_S = 180  # nothing is waited for longer
# More often than on a cluster that many share; the first waits 10 s longer after each time without news.
POLL = {
    "slurm": ("--slurm-init-seconds-before-status-checks", "1"),
    "generic": ("--seconds-between-status-checks", "2"),
}
STOPS = """
import sys, time
from pathlib import Path
mark = Path("stops", Path(sys.argv[0]).stem)
if mark.exists() and mark.read_text() in sys.argv:
    mark.unlink()
    time.sleep(600)
"""


@dataclass(frozen=True)
class Run:
    """What became of one call of Snakemake."""

    code: int
    said: str
    seconds: float


@dataclass(frozen=True)
class Story:
    """Three runs of one project through one profile, and what DVC and Slurm said after each."""

    interrupted: Run
    jobs_after_interrupt: list[str]
    failed: Run
    stale_after_failure: set[str]
    finished: Run
    status: str
    dry_run: str
    jobs: dict[str, str]  # of each stage's last job, by rule, what scontrol shows
    folder: Path


@pytest.fixture(scope="session")
def slurm():
    """A running Slurm; skips with the reason where there cannot be one."""
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons need root")
    with Path("/run/deltadistill-slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one test session at a time
        up = subprocess.run([HERE / "up.sh"], stderr=subprocess.PIPE, text=True, check=False)
        if up.returncode == NOT_HERE:
            pytest.skip(up.stderr.strip())
        assert up.returncode == 0, up.stderr
        yield
        subprocess.run([HERE / "down.sh"], check=True)


@pytest.fixture(scope="session")
def stories(slurm, tmp_path_factory) -> dict[str, Future]:
    """Both stories, told side by side: most of their time is waiting."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(PROFILES)) as pool:
        patch.setenv("SBATCH_PARTITION", "toy")  # the default partition ends every job after a minute
        patch.setenv("DELTADISTILL_GPU", "fake")
        patch.delenv("SBATCH_ACCOUNT", raising=False)
        told = {profile: pool.submit(tell, profile, tmp_path_factory.mktemp(profile)) for profile in PROFILES}
        for future in told.values():
            future.exception()
    return told


@pytest.fixture(scope="session", params=PROFILES)
def story(stories, request) -> Story:
    return stories[request.param].result()


@pytest.fixture
def profile(request) -> str:
    return request.node.callspec.params["story"]


def tell(profile: str, folder: Path) -> Story:
    """Interrupt a run, let one fail by a cancelled and an overlong job, and let the last one finish."""
    project = toy_project(folder)
    call = ("snakemake", "--workflow-profile", f"workflow/profiles/{profile}", *POLL[profile])

    stop(project, "prepare_dataset")
    running = Running(project, *call)
    running.until(lambda: started(project, "prepare_dataset"))
    running.interrupt()
    interrupted = running.end()
    jobs_after_interrupt = jobs_of(folder, "pending,running")

    stop(project, "profile_macs")  # until its time is over
    stop(project, "analyze_consistency", only="teacher")
    running = Running(project, *call, "--retries", "0")
    running.until(lambda: started(project, "analyze_consistency"))
    cancel(folder, "analyze_consistency_street_0_teacher")
    failed = running.end()
    stale = set(re.findall(r"^(\S+@\S+):$", project.run("dvc", "status"), re.MULTILINE))

    stop(project, "profile_macs")
    running = Running(project, *call, "--set-resources", "profile_macs_street:runtime=10")
    running.until(lambda: started(project, "profile_macs"))
    cancel(folder, "profile_macs_street")
    return Story(
        interrupted=interrupted,
        jobs_after_interrupt=jobs_after_interrupt,
        failed=failed,
        stale_after_failure=stale,
        finished=running.end(),
        status=project.run("dvc", "status"),
        dry_run=project.run(*call, "--dry-run"),
        jobs={rule_of(job): show(job) for job in jobs_of(folder, "all")},
        folder=folder,
    )


def toy_project(folder: Path) -> Project:
    """The real graph for two variants, with stand-ins that stop when told; profiling may take one minute."""
    project = copy_project(folder)
    for script in (folder / "stages").glob("*.py"):
        if script.stem != "collect_networks":
            script.write_text(STOPS + STAND_IN.read_text())
    params = commented_yaml.load(folder / "params.yaml")
    keep(params["variants"], {"teacher", "delta"})
    keep(params["distill"]["variants"], {"delta"})
    (folder / "params.yaml").write_text(commented_yaml.dump(params))
    graph = commented_yaml.load(folder / "dvc.yaml")
    graph["stages"]["profile_macs"]["meta"]["resources"]["runtime"] = 1
    (folder / "dvc.yaml").write_text(commented_yaml.dump(graph))
    project.commit()
    return project


def keep(mapping: dict, names: set[str]) -> None:
    for name in set(mapping) - names:
        del mapping[name]


def stop(project: Project, stage: str, *, only: str = "--results") -> None:
    """Let the next run of a stage hang, if one of its arguments is `only`."""
    mark = project.folder / "stops" / stage
    mark.parent.mkdir(exist_ok=True)
    mark.write_text(only)


def started(project: Project, stage: str) -> bool:
    """Whether a stage that was told to hang does."""
    return not (project.folder / "stops" / stage).exists()


class Running:
    """A call of Snakemake that goes on while the test does something to its jobs."""

    def __init__(self, project: Project, *command: str):
        self._log = project.folder / "snakemake.log"
        self._began = time.monotonic()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=project.folder, env=project.environment, stdout=log, stderr=log
            )

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what only a running Snakemake brings about."""
        while not condition():
            if self._process.poll() is not None or time.monotonic() - self._began > PATIENCE_S:
                self._give_up("what the test waits for did not happen")
            time.sleep(0.2)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> Run:
        """Wait for the end, which must come; the time counts from here."""
        began = time.monotonic()
        try:
            code = self._process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._give_up("Snakemake does not end")
        return Run(code, self._log.read_text(), time.monotonic() - began)

    def _give_up(self, why: str) -> NoReturn:
        self._process.kill()
        self._process.wait()
        pytest.fail(f"{why}:\n{self._log.read_text()}")


def jobs_of(folder: Path, states: str) -> list[str]:
    """The ids of the jobs that were submitted from a folder, oldest first."""
    listed = ask("squeue", "--noheader", "--sort=i", f"--states={states}", "--format=%i %Z")
    return [line.split()[0] for line in listed.splitlines() if line.split()[1] == str(folder)]


def rule_of(job: str) -> str:
    """The stage's name as Slurm shows it: the comment of one profile, the job's name of the other."""
    name, comment = (
        ask("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%j|%k").strip().split("|")
    )
    return comment.removeprefix("rule_") if name.startswith("deltadistill_") else name


def show(job: str) -> str:
    return ask("scontrol", "--oneliner", "show", "job", job)


def cancel(folder: Path, rule: str) -> None:
    ask("scancel", *(job for job in jobs_of(folder, "running") if rule_of(job) == rule))


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
