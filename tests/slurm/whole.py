"""Pipelines from nothing to their report: the real stages at toy size, and a sweep."""

from dataclasses import dataclass
from pathlib import Path

import smoke
from slurm.stories import POLL, jobs_of, keep, rule_of
from workflow.conftest import Project, copy_project, put_stand_ins

from deltadistill import commented_yaml

SWEEP = "seeds: [0]\nvariants: [delta]\nover: {distill.loss.beta: [0.3, 0.6]}\n"


@dataclass(frozen=True)
class Whole:
    """One pipeline from nothing to its report, and what both tools say then."""

    said: str
    status: str
    dry_run: str
    jobs: set[str]
    folder: Path


def real_stages(profile: str, folder: Path) -> Whole:
    """The smoke experiment with two variants."""
    smoke.copy_working_tree(folder)
    params = commented_yaml.load(folder / "params.yaml")
    keep(params["variants"], {"teacher", "delta"})
    keep(params["distill"]["variants"], {"delta"})
    (folder / "params.yaml").write_text(commented_yaml.dump(params))
    return whole(Project(folder), profile)


def sweep(profile: str, folder: Path) -> Whole:
    """Two settings with stand-ins."""
    project = copy_project(folder)
    put_stand_ins(project)
    (folder / "sweeps").mkdir(exist_ok=True)
    (folder / "sweeps" / "toy.yaml").write_text(SWEEP)
    return whole(project, profile, "--config", "sweep=toy")


def whole(project: Project, profile: str, *options: str) -> Whole:
    call = ("snakemake", "--workflow-profile", f"workflow/profiles/{profile}", *POLL[profile], *options)
    said = project.run(*call)
    files = [str(path.relative_to(project.folder)) for path in project.folder.glob("sweeps/toy/**/dvc.yaml")]
    return Whole(
        said=said,
        status=project.run("dvc", "status", *files),
        dry_run=project.run(*call, "--dry-run"),
        jobs={rule_of(job) for job in jobs_of(project.folder, "all")},
        folder=project.folder,
    )
