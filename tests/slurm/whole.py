"""Pipelines from nothing to their report: real stages at toy size, with a warned training, and a sweep."""

import re
from dataclasses import dataclass
from pathlib import Path

import smoke
from slurm.stories import POLL, Running, ask, jobs_of, rule_in, rule_of, shown_jobs
from workflow.conftest import Project, copy_project, put_stand_ins

from deltadistill.files import commented_yaml

TOY = ("--config", "sweep=toy")
SWEEP = "seeds: [0]\ntrainings: [delta]\nover: {distill.loss.beta: [0.3, 0.6]}\n"


STEPS = 60
WARNED = "distill_smoke_0_delta"
# What Slurm's warning goes to, by the --signal of each profile: the job's steps, or its script alone.
SEND = {"slurm": ("scancel", "--signal=USR1"), "generic": ("scancel", "--signal=USR1", "--batch")}


@dataclass(frozen=True)
class Whole:
    """One pipeline from nothing to its report, and what both tools say then."""

    said: str
    status: str
    dry_run: str
    jobs: set[str]
    folder: Path


def real_stages(profile: str, folder: Path) -> Whole:
    """The smoke experiment with two variants, whose distillation is warned when it is under way."""
    smoke.copy_working_tree(folder)
    smoke.keep_variants(folder, {"teacher", "delta"})
    params = commented_yaml.load(folder / "params.yaml")
    params["distill"] |= {"steps": STEPS, "evaluate_every": STEPS}
    in_parallel = ("distill", "sweep_sequence_length", "analyze_consistency")
    params["resources"] = {stage: {"mem_mb": 4000} for stage in in_parallel}
    (folder / "params.yaml").write_text(commented_yaml.dump(params))
    project = Project(folder)
    running = Running(project, *_call(profile))
    running.until(lambda: steps_shown(folder)[-1:] > [0])
    ask(*SEND[profile], *(job for job in jobs_of(folder, "running") if rule_of(job) == WARNED))
    run = running.end()
    assert run.code == 0, run.said
    return _whole(project, profile, run.said)


def steps_shown(folder: Path) -> list[int]:
    """The numbers of steps done that the distillation has shown so far, of its last run alone."""
    log = folder / "logs" / f"{WARNED}.log"
    return [int(n) for n in re.findall(rf"(\d+)/{STEPS} \[", log.read_text())] if log.is_file() else []


def sweep(profile: str, folder: Path) -> Whole:
    """Two settings with stand-ins."""
    project = copy_project(folder)
    put_stand_ins(project)
    (folder / "sweeps").mkdir(exist_ok=True)
    (folder / "sweeps" / "toy.yaml").write_text(SWEEP)
    running, shown = Running(project, *_call(profile), *TOY), dict[str, str]()

    def trains() -> bool:
        shown.update(
            shown_jobs(folder)
        )  # now and at the end, since Slurm forgets jobs that ended five minutes ago
        return any("_distill_" in rule_in(job) for job in shown.values())

    running.until(trains)
    run = running.end()
    assert run.code == 0, run.said
    shown.update(shown_jobs(folder))
    return _whole(project, profile, run.said, *TOY, shown=shown)


def _call(profile: str) -> tuple[str, ...]:
    return ("snakemake", "--workflow-profile", f"workflow/profiles/{profile}", *POLL[profile])


def _whole(
    project: Project, profile: str, said: str, *options: str, shown: dict[str, str] | None = None
) -> Whole:
    jobs = shown_jobs(project.folder) if shown is None else shown
    files = [str(path.relative_to(project.folder)) for path in project.folder.glob("sweeps/toy/**/dvc.yaml")]
    return Whole(
        said=said,
        status=project.run("dvc", "status", *files),
        dry_run=project.run(*_call(profile), *options, "--dry-run"),
        jobs={rule_in(job) for job in jobs.values()},
        folder=project.folder,
    )
