"""On a real Slurm: the real stages at toy size through both profiles, and a sweep through one."""

import pytest
from slurm.stories import PROFILES
from slurm.whole import STEPS, WARNED, steps_shown

pytestmark = pytest.mark.slurm


@pytest.mark.parametrize("name", [*PROFILES, "sweep"])
def test_afterwards_neither_tool_finds_anything_to_do(told, name):
    whole = told[f"whole {name}"].result()
    assert "Data and pipelines are up to date." in whole.status
    assert "Nothing to be done" in whole.dry_run
    assert whole.said.count("Trying to restart") == (0 if name == "sweep" else 1)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_real_training_of_two_processes_that_is_warned_goes_on_where_it_was(told, profile):
    whole = told[f"whole {profile}"].result()
    assert f"Error in rule {WARNED}" in whole.said
    shown = steps_shown(whole.folder)
    assert 0 < shown[0] < STEPS == shown[-1]


@pytest.mark.parametrize("profile", PROFILES)
def test_real_stages_write_their_report(told, profile):
    folder = told[f"whole {profile}"].result().folder
    page = (folder / "results/smoke/report.html").read_text()
    assert "<title>Delta distillation on smoke</title>" in page


def test_every_setting_of_a_sweep_was_a_job_and_what_they_share_was_one(told):
    assert told["whole sweep"].result().jobs == {
        "toy_data_base_prepare_dataset",
        "toy_teachers_base_pretrain_teacher_0",
        "toy_teachers_base_sweep_sequence_length_teacher_0",
        "toy_teachers_base_analyze_consistency_teacher_0",
        "toy_teachers_base_measure_latency",
        "toy_settings_base_measure_latency",
        "toy_settings_beta0p3_measure_latency",
        *(
            f"toy_settings_{setting}_{stage}_delta_0"
            for setting in ("base", "beta0p3")
            for stage in ("distill", "sweep_sequence_length", "analyze_consistency")
        ),
        "toy_compare_settings",
    }
