"""The real graph with stand-ins through a profile, interrupted, cancelled, warned and short of memory."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest
import smoke
from workflow.conftest import KEPT, STAND_IN, Project, copy_project

from deltadistill.files import commented_yaml

PROFILES = ("slurm", "generic")
PATIENCE_S = 600  # nothing is waited for longer
# More often than on a cluster that many share; the first waits 10 s longer after each time without news.
POLL = {
    "slurm": ("--slurm-init-seconds-before-status-checks", "1"),
    "generic": ("--seconds-between-status-checks", "2"),
}
# Minutes of the second run: Slurm's warning comes two minutes before the end and up to a minute early, so of
# four when the stage listens.
LIMITS = ("profile_macs_street:runtime=1", "analyze_consistency_street_0_delta:runtime=4")
# What a stand-in does first when a file `told/<stage>/<what>` holds one of its arguments.
TOLD = """
import signal, sys, time
from pathlib import Path

STAGE = Path(sys.argv[0]).stem

def told(what, *, once=True):
    mark = Path("told", STAGE, what)
    if not mark.exists() or mark.read_text() not in sys.argv:
        return False
    if once:
        mark.unlink()
    return True

def end(number, frame):
    Path("told", STAGE, "warned").write_text("a checkpoint")
    sys.exit(128 + number)

if told("hang"):
    time.sleep(600)
if told("wait for the warning"):
    signal.signal(signal.SIGUSR1, end)
    time.sleep(600)
if told("eat", once=False):
    eaten = bytearray(b"x") * (600 << 20)
    time.sleep(5)
"""


@dataclass(frozen=True)
class Run:
    """What became of one call of Snakemake."""

    code: int
    said: str
    seconds: float

    def began(self, rule: str) -> float:
        """The moment when a job of this rule was first submitted."""
        return self._moment(f"rule {rule}:")

    def reported(self, rule: str) -> float:
        """The moment when it was first said that a job of this rule had failed."""
        return self._moment(f"Error in rule {rule}:")

    def _moment(self, line: str) -> float:
        found = re.search(rf"^\[(.+)\]\n{line}", self.said, re.MULTILINE)
        return datetime.strptime(found[1], "%a %b %d %H:%M:%S %Y").timestamp()


@dataclass(frozen=True)
class Story:
    """Three runs of one project through one profile, and what DVC and Slurm said after each."""

    interrupted: Run
    jobs_after_interrupt: list[str]
    failed: Run
    cancelled: float  # the moment, in that run
    stale_after_failure: set[str]
    finished: Run
    warned: str  # what the stage that got Slurm's warning wrote
    status: str
    dry_run: str
    jobs: list[tuple[str, str]]  # of every job, oldest first, its rule and what scontrol shows
    folder: Path


def tell(profile: str, folder: Path) -> Story:
    """Interrupt a run; let one fail by a cancelled and an overlong job; let one survive it all."""
    project = toy_project(folder)
    call = ("snakemake", "--workflow-profile", f"workflow/profiles/{profile}", *POLL[profile])

    tell_stage(project, "prepare_dataset", "hang")
    running = Running(project, *call)
    running.until(lambda: started(project, "prepare_dataset", "hang"))
    running.interrupt()
    interrupted = running.end()
    jobs_after_interrupt = jobs_of(folder, "pending,running")

    tell_stage(project, "profile_macs", "hang")  # until its time is over
    tell_stage(project, "analyze_consistency", "hang", to="teacher")
    tell_stage(project, "analyze_consistency", "wait for the warning", to="delta")
    running = Running(project, *call, "--retries", "0", "--set-resources", *LIMITS)
    running.until(lambda: (folder / "logs/benchmarks/distill_street_0_delta.tsv").exists())
    shown = shown_jobs(folder)  # now and again, since Slurm forgets jobs that ended five minutes ago
    for what in ("hang", "wait for the warning"):
        running.until(lambda what=what: started(project, "analyze_consistency", what))
    shown |= shown_jobs(folder)
    cancel(folder, "analyze_consistency_street_0_teacher")
    cancelled = time.time()
    failed = running.end()
    stale = set(re.findall(r"^(\S+@\S+):$", project.run("dvc", "status"), re.MULTILINE))
    shown |= shown_jobs(folder)

    (folder / "told/profile_macs/hang").unlink(missing_ok=True)  # so slow that its time was over before
    tell_stage(project, "profile_macs", "eat")
    tell_stage(project, "measure_latency", "hang")
    (folder / "results/street/measure_latency/latency.json").unlink()
    running = Running(project, *call)
    running.until(lambda: started(project, "measure_latency", "hang"))
    cancel(folder, "measure_latency_street")
    finished = running.end()
    shown |= shown_jobs(folder)
    return Story(
        interrupted=interrupted,
        jobs_after_interrupt=jobs_after_interrupt,
        failed=failed,
        cancelled=cancelled,
        stale_after_failure=stale,
        finished=finished,
        warned=read(folder / "told/analyze_consistency/warned"),
        status=project.run("dvc", "status"),
        dry_run=project.run(*call, "--dry-run"),
        jobs=[(rule_in(job), job) for job in shown.values()],
        folder=folder,
    )


def toy_project(folder: Path) -> Project:
    """The real graph for two variants, with stand-ins that do what they are told.

    Profiling may take 500 MB.
    """
    project = copy_project(folder)
    for script in (folder / "stages").glob("*.py"):
        if script.stem not in KEPT:
            script.write_text(TOLD + STAND_IN.read_text())
    smoke.keep_variants(folder, {"teacher", "delta"})
    graph = commented_yaml.load(folder / "dvc.yaml")
    graph["stages"]["profile_macs"]["meta"]["resources"]["mem_mb"] = 500
    (folder / "dvc.yaml").write_text(commented_yaml.dump(graph))
    project.commit()
    return project


def tell_stage(project: Project, stage: str, what: str, *, to: str = "--results") -> None:
    """Let a stage do something at its next run, if one of its arguments is `to`."""
    mark = project.folder / "told" / stage / what
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(to)


def started(project: Project, stage: str, what: str) -> bool:
    """Whether a stage has begun to do what it was told to."""
    return not (project.folder / "told" / stage / what).exists()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


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
    return rule_in(show(job))


def rule_in(shown: str) -> str:
    """The stage's name as Slurm shows it: the comment of one profile, the job's name of the other."""
    name = re.search(r" JobName=(\S+)", shown)[1]
    comment = re.search(r" Comment=(\S+)", shown)
    return comment[1].removeprefix("rule_") if name.startswith("deltadistill_") else name


def shown_jobs(folder: Path) -> dict[str, str]:
    """What scontrol shows of each job submitted from a folder, oldest first, as long as Slurm knows it."""
    lines = [line for line in ask("scontrol", "--oneliner", "show", "job").splitlines() if line]
    mine = [line for line in lines if f" WorkDir={folder} " in line]
    by_id = {int(re.search(r"JobId=(\d+)", line)[1]): line for line in mine}
    return {str(job): by_id[job] for job in sorted(by_id)}


def show(job: str) -> str:
    return ask("scontrol", "--oneliner", "show", "job", job)


def cancel(folder: Path, rule: str) -> None:
    ask("scancel", *(job for job in jobs_of(folder, "running") if rule_of(job) == rule))


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
