"""A sweep runs as one graph: what is equal once, a further value alone, and on again after it was killed."""

import re
import signal
import subprocess
import time

import pytest
from workflow.conftest import copy_project, put_stand_ins

UP_TO_DATE = "Data and pipelines are up to date."
NOTHING_TO_DO = "Nothing to be done"
SWEEP = """\
seeds: [0]
trainings: [delta]
beside: [teacher, copy]
over:
  distill.loss.beta: {beta}
  model.options.width: {width}
"""
SLOW = "import time\ntime.sleep(1)\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The graph with stand-ins, in which only sweeps are run."""
    copied = copy_project(tmp_path_factory.mktemp("sweep"))
    put_stand_ins(copied)
    return copied


@pytest.fixture(scope="module")
def swept(project):
    """What running a sweep of two settings printed, and the project after it."""
    write(project, "[0.3, 0.6]", "[16]")
    return project, run(project)


def write(project, beta: str, width: str, name: str = "toy") -> None:
    (project.folder / "sweeps").mkdir(exist_ok=True)
    (project.folder / "sweeps" / f"{name}.yaml").write_text(SWEEP.format(beta=beta, width=width))


def run(project, *options: str, name: str = "toy") -> str:
    return project.run("snakemake", "--config", f"sweep={name}", *options)


def rules(said: str) -> list[str]:
    """The rules that Snakemake ran."""
    return re.findall(r"^(?:local)?rule (\w+):$", said, re.MULTILINE)


def files(project) -> list[str]:
    return [str(path.relative_to(project.folder)) for path in project.folder.glob("sweeps/toy/**/dvc.yaml")]


def test_what_settings_share_runs_once(swept):
    ran = rules(swept[1])
    assert ran.count("toy_data_base_prepare_dataset") == 1
    assert sum("pretrain_teacher" in rule for rule in ran) == 1
    assert {rule for rule in ran if "_distill_" in rule} == {
        "toy_teachers_base_distill_finetuned_0",
        "toy_settings_beta0p3_distill_delta_0",
        "toy_settings_base_distill_delta_0",
    }
    assert ran[-2:] == ["toy_compare_settings", "all"]


def test_settings_have_results_of_their_own(swept):
    results = swept[0].folder / "results" / "sweeps" / "toy"
    networks = {
        (
            results / "settings" / setting / "per_seed" / "seed0" / "distill" / "delta" / "metrics.json"
        ).read_text()
        for setting in ("base", "beta0p3")
    }
    assert len(networks) == 2
    assert (results / "report.html").is_file()


def test_afterwards_neither_tool_finds_anything_to_do(swept):
    project, _ = swept
    assert NOTHING_TO_DO in run(project, "--dry-run")
    assert UP_TO_DATE in project.run("dvc", "status", *files(project))
    assert "Data and pipelines are up to date" in project.run("dvc", "repro", "sweeps/toy/dvc.yaml")


def test_its_stages_ask_for_what_the_parameters_it_starts_from_say(swept):
    project, _ = swept
    project.set("resources", {"distill": {"gpu": 2}})
    jobs = run(project, "--dry-run", "--forceall").split("rule ")
    project.set("resources", {})
    asked = {job.split(":")[0]: job for job in jobs}
    assert "gpu=2" in asked["toy_settings_base_distill_delta_0"]
    assert "gpu=1" in asked["toy_teachers_base_pretrain_teacher_0"]


def test_the_root_graph_knows_nothing_of_it(swept):
    project, _ = swept
    planned = project.run("snakemake", "--dry-run")
    assert "prepare_dataset_street" in planned
    assert "toy_" not in planned
    assert "sweeps/toy" not in project.run("dvc", "status", "dvc.yaml")
    assert "sweeps/toy" not in project.run("dvc", "repro", "--dry", "--allow-missing", check=False)


def test_further_values_run_alone_and_old_ones_stay(swept):
    project, _ = swept
    write(project, "[0.3, 0.6, 1.2]", "[16]")
    ran = rules(run(project))
    assert ran[0] == "toy_settings_beta1p2_distill_delta_0"
    assert set(ran[1:4]) == {
        "toy_settings_beta1p2_analyze_consistency_delta_0",
        "toy_settings_beta1p2_sweep_sequence_length_delta_0",
        "toy_settings_beta1p2_measure_latency",
    }
    assert ran[4:] == ["toy_compare_settings", "all"]


def test_a_value_taken_away_and_back_is_still_there(swept):
    project, _ = swept
    write(project, "[0.3]", "[16]")
    assert rules(run(project)) == ["toy_compare_settings", "all"]
    assert not (project.folder / "sweeps/toy/settings/base/dvc.yaml").exists()
    write(project, "[0.3, 0.6]", "[16]")
    assert rules(run(project)) == ["toy_compare_settings", "all"]


def test_another_model_gets_a_teacher_and_shares_the_data(swept):
    project, _ = swept
    write(project, "[0.3]", "[16, 24]")
    ran = rules(run(project))
    assert "toy_teachers_width24_pretrain_teacher_0" in ran
    assert "toy_settings_beta0p3_width24_distill_delta_0" in ran
    assert not [rule for rule in ran if "prepare_dataset" in rule or "teachers_base" in rule]


def test_a_killed_sweep_goes_on_where_it_was(project):
    write(project, "[0.1, 0.2, 0.3]", "[16]", name="killed")
    script = project.folder / "stages" / "distill.py"
    quick = script.read_text()
    script.write_text(SLOW + quick)
    first = project.folder / "results/sweeps/killed/settings"
    running = subprocess.Popen(
        ["snakemake", "--config", "sweep=killed"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list(first.glob("*/per_seed/seed0/distill/delta/metrics.json")):
        assert running.poll() is None, "it ended before a distillation had"
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    project.run("snakemake", "--unlock", "--config", "sweep=killed")
    ran = rules(run(project, name="killed"))
    assert not [rule for rule in ran if "prepare_dataset" in rule or "pretrain_teacher" in rule]
    trained = [rule for rule in ran if "settings" in rule and "distill" in rule]
    assert 0 < len(trained) <= 3  # what was whole when the kill came is up to date
    assert NOTHING_TO_DO in run(project, "--dry-run", name="killed")


def test_a_fault_in_the_file_is_said_in_one_line_and_nothing_is_written(project):
    write(project, "[-1.0]", "[16]", name="wrong")
    said = project.run("python", "-m", "workflow.sweep", "wrong", check=False)
    assert "sweep wrong, setting beta" in said
    assert "Traceback" not in said
    assert not (project.folder / "sweeps" / "wrong").exists()


def test_an_overlay_is_the_base_of_a_sweep_whatever_is_on(project):
    (project.folder / "experiments").mkdir()
    (project.folder / "experiments" / "short.yaml").write_text("experiment: short\ndistill: {steps: 7}\n")
    write(project, "[0.3]", "[16]", name="based")
    with (project.folder / "sweeps" / "based.yaml").open("a") as file:
        file.write("base: short\n")
    project.run("python", "-m", "workflow.sweep", "based")
    text = (project.folder / "sweeps/based/settings/beta0p3/parameters.yaml").read_text()
    assert "steps: 7" in text
    project.run("python", "-m", "deltadistill.pipeline.experiments", "put", "experiments/short.yaml")
    write(project, "[0.3]", "[16]", name="plain")
    project.run("python", "-m", "workflow.sweep", "plain")
    project.run("python", "-m", "deltadistill.pipeline.experiments", "off")
    assert "steps: 300" in (project.folder / "sweeps/plain/settings/beta0p3/parameters.yaml").read_text()
