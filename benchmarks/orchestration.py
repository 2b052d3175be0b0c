"""What orchestration costs: nothing to do, a stage, a sweep's graph, and a sweep on a Slurm of this machine.

    python benchmarks/orchestration.py
    python benchmarks/orchestration.py --graph 100 1000
    python benchmarks/orchestration.py --slurm generic --settings 100 --slots 50    # as root, see tests/slurm

The real graph is run with stand-ins for the stages, which write their outputs at once or sleep for a second.
On Slurm as many jobs run at once as there are slots, on however few processors. A slot is busy while Slurm
has a job in it, start and end of the job included; what the stages themselves take of that, a second each, is
said beside it.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow"), str(ROOT)]

from workflow.conftest import Project, copy_project, put_stand_ins  # noqa: E402

WORK_S = 1.0  # of a stand-in that takes its time
SLEEPS = f"import time\ntime.sleep({WORK_S})\n"
STAGE = "analyze_consistency"
SLURM = "/run/deltadistill-slurm"
NODES = 2  # of the Slurm in tests/slurm
REPEATS = 3


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--graph", type=int, nargs="*", metavar="SETTINGS", help="sizes of sweeps to plan")
    parser.add_argument("--slurm", choices=["slurm", "generic"], help="profile to run a sweep through")
    parser.add_argument("--settings", type=int, default=100, help="settings of that sweep")
    parser.add_argument("--slots", type=int, default=50, help="jobs that Slurm runs at once")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deltadistill-orchestration-") as folder:
        project = copy_project(Path(folder))
        put_stand_ins(project)
        if args.slurm:
            on_slurm(project, args.slurm, args.settings, args.slots)
        elif args.graph is not None:
            for settings in args.graph:
                plan(project, settings)
        else:
            nothing_and_stages(project)


def nothing_and_stages(project: Project) -> None:
    """Both tools with nothing to do, and what a stage costs each beyond its own work."""
    project.run("dvc", "repro")
    for command in (("dvc", "repro"), ("dvc", "status"), ("snakemake",)):
        print(f"{' '.join(command)} with nothing to do: {median(project, *command)}")
    script = project.folder / "stages" / f"{STAGE}.py"
    slow = SLEEPS + script.read_text()
    sleeping = len(project.run("dvc", "stage", "list", "--name-only").split(f"{STAGE}@")) - 1
    for command in (("dvc", "repro"), ("snakemake", "--cores", "1")):
        idle = median(project, *command)
        costs = []
        for repeat in range(REPEATS):
            script.write_text(f"# {command[0]}, {repeat}\n{slow}")
            spent = measure(project, *command)
            wall, processor = spent.wall - idle.wall - sleeping * WORK_S, spent.processor - idle.processor
            stages = sleeping + 1  # and the report after them
            costs.append(Spent(wall / stages, processor / stages))
        print(f"a stage by {' '.join(command)}, beyond its own work: {sorted(costs)[REPEATS // 2]}")


def plan(project: Project, settings: int) -> None:
    """Write a sweep and let Snakemake plan it."""
    name = f"plan{settings}"
    write_sweep(project, name, settings)
    print(f"{settings} settings, {3 * settings + 5} stages")
    print(f"  project files: {measure(project, 'python', '-m', 'workflow.sweep', name)}")
    planned = measure(project, "snakemake", "--quiet", "all", "--dry-run", "--config", f"sweep={name}")
    print(f"  snakemake --dry-run: {planned}")
    for command in (("dvc", "status", "dvc.yaml"), ("dvc", "status")):
        print(f"  {' '.join(command)} with the sweep beside it: {measure(project, *command)}")


def on_slurm(project: Project, profile: str, settings: int, slots: int) -> None:
    """Run a sweep of stages of a second and say how busy Slurm's slots were."""
    for script in (project.folder / "stages").glob("*.py"):
        script.write_text(SLEEPS + script.read_text())
    text = (project.folder / "dvc.yaml").read_text().replace("gpu: 1", "gpu: 0").replace("cpus: 2", "cpus: 1")
    (project.folder / "dvc.yaml").write_text(text)
    write_sweep(project, "busy", settings)
    project.commit()
    subprocess.run([ROOT / "tests/slurm/up.sh", SLURM, str(-(-slots // NODES))], check=True)
    os.environ["SBATCH_PARTITION"] = "toy"
    try:
        call = ["snakemake", "--workflow-profile", f"workflow/profiles/{profile}", "--quiet", "all"]
        spent = measure(project, *call, "--config", "sweep=busy").wall
        jobs = finished_jobs()
        if len(jobs) != 3 * settings + 5:
            raise SystemExit(f"{len(jobs)} jobs ended well, where there are {3 * settings + 5} stages")
    finally:
        subprocess.run([ROOT / "tests/slurm/down.sh", SLURM], check=True)
    report(profile, spent, jobs, slots)


def report(profile: str, spent: float, jobs: list[tuple[float, float]], slots: int) -> None:
    """Print the busy share while there was a job for every slot, and over the whole run."""
    first, last = min(start for start, _ in jobs), max(end for _, end in jobs)
    busy = sum(end - start for start, end in jobs)
    share = busy_share(jobs, slots)
    print(
        f"{profile}: {len(jobs)} jobs in {spent:.0f} s; from the first to the last {last - first:.0f} s; "
        f"a job {statistics.mean(end - start for start, end in jobs):.1f} s; slots busy: "
        f"{100 * share:.0f} % while stages were waiting, {100 * busy / slots / (last - first):.0f} % in all; "
        f"by the work of the stages alone {100 * WORK_S * len(jobs) / slots / (last - first):.0f} %"
    )


def busy_share(jobs: list[tuple[float, float]], slots: int) -> float:
    """Share of the slots in use from when all were first filled until the last job had started."""
    events = sorted([(start, 1) for start, _ in jobs] + [(end, -1) for _, end in jobs])
    running, most, filled = 0, min(slots, len(jobs)), None
    used, since = 0.0, 0.0
    until = max(start for start, _ in jobs)
    for moment, change in events:
        if filled is not None and moment <= until:
            used += running * (moment - since)
        running += change
        since = moment
        if filled is None and running >= 0.95 * most:
            filled = moment
    return used / slots / (until - filled) if filled is not None and until > filled else 0.0


def finished_jobs() -> list[tuple[float, float]]:
    """Start and end of every job that ended well, from the list that Slurm keeps."""
    lines = (Path(SLURM) / "jobs.log").read_text().splitlines()
    jobs = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    well = [job for job in jobs if job["JobState"] == "COMPLETED"]
    return [(moment(job["StartTime"]), moment(job["EndTime"])) for job in well]


def moment(text: str) -> float:
    """A time as Slurm writes it, in seconds."""
    return datetime.fromisoformat(text).timestamp()


def write_sweep(project: Project, name: str, settings: int) -> None:
    """A sweep over as many values of beta."""
    betas = ", ".join(str((value + 1) / 10_000) for value in range(settings))
    folder = project.folder / "sweeps"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        f"seeds: [0]\ntrainings: [delta]\nover: {{distill.loss.beta: [{betas}]}}\n"
    )


@dataclass(frozen=True, order=True)
class Spent:
    """Seconds that a command took, and seconds of processor time of it and all that it started."""

    wall: float
    processor: float

    def __str__(self):
        return f"{self.wall:.1f} s, {self.processor:.1f} s of processor time"


def measure(project: Project, *command: str) -> Spent:
    """Run a command once."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    project.run(*command)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def median(project: Project, *command: str) -> Spent:
    """The middle one of a few runs."""
    return sorted(measure(project, *command) for _ in range(REPEATS))[REPEATS // 2]


if __name__ == "__main__":
    main()
