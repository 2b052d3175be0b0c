"""On a real Slurm: the real stages at toy size through both profiles, and a sweep through one."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import smoke
from slurm.conftest import POLL, PROFILES, jobs_of, keep, rule_of
from workflow.conftest import Project, copy_project, put_stand_ins

from deltadistill import commented_yaml

pytestmark = pytest.mark.slurm
SWEEP = "seeds: [0]\nvariants: [delta]\nover: {distill.loss.beta: [0.3, 0.6]}\n"


@dataclass(frozen=True)
class Whole:
    """One pipeline from nothing to its report, and what both tools say then."""

    said: str
    status: str
    dry_run: str
    jobs: set[str]
    folder: Path


@pytest.fixture(scope="module")
def runs(slurm, tmp_path_factory) -> dict[str, Whole]:
    """All of them side by side."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        patch.setenv("SBATCH_PARTITION", "toy")
        patch.setenv("DELTADISTILL_GPU", "fake")
        patch.delenv("SBATCH_ACCOUNT", raising=False)
        told = {
            profile: pool.submit(real_stages, profile, tmp_path_factory.mktemp(f"real_{profile}"))
            for profile in PROFILES
        }
        told["sweep"] = pool.submit(sweep, "slurm", tmp_path_factory.mktemp("sweep"))
        return {name: future.result() for name, future in told.items()}


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


@pytest.mark.parametrize("name", [*PROFILES, "sweep"])
def test_afterwards_neither_tool_finds_anything_to_do(runs, name):
    assert "Data and pipelines are up to date." in runs[name].status
    assert "Nothing to be done" in runs[name].dry_run
    assert "Trying to restart" not in runs[name].said


@pytest.mark.parametrize("profile", PROFILES)
def test_real_stages_write_their_report(runs, profile):
    page = (runs[profile].folder / "results/smoke/report.html").read_text()
    assert re.search(r"<title>Delta distillation on smoke</title>", page)


def test_every_setting_of_a_sweep_was_a_job_and_what_they_share_was_one(runs):
    assert runs["sweep"].jobs == {
        "toy_data_base_prepare_dataset",
        "toy_teachers_base_pretrain_teacher_0",
        "toy_teachers_base_sweep_sequence_length_teacher_0",
        "toy_teachers_base_analyze_consistency_teacher_0",
        *(
            f"toy_settings_{setting}_{stage}_delta_0"
            for setting in ("base", "beta0p3")
            for stage in ("distill", "sweep_sequence_length", "analyze_consistency")
        ),
        "toy_compare_settings",
    }
