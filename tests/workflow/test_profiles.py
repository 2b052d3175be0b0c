"""The profiles for clusters: what a stage asks of Slurm, and what the scripts of the generic one say."""

import os
import subprocess
import time
from pathlib import Path

import pytest

PROFILES = Path(__file__).resolve().parents[2] / "workflow" / "profiles"


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a command with a given answer and exit code in front of the real one, if there is one."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def put(command: str, answer: str, code: int = 0) -> None:
        path = tmp_path / command
        path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
        path.chmod(0o755)

    return put


def status(job: str = "7") -> str:
    script = PROFILES / "generic" / "status.sh"
    return subprocess.run([script, job], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("profile", ["slurm", "generic"])
def test_partition_and_gpu_type_come_from_the_environment(finished, monkeypatch, profile):
    monkeypatch.setenv("SBATCH_PARTITION", "all")  # the name of a Python function too
    monkeypatch.setenv("SBATCH_ACCOUNT", "0123")
    monkeypatch.setenv("DELTADISTILL_GPU", "a100")
    finished.set("measure_latency.runs", 61)
    said = finished.run("snakemake", "--dry-run", "--workflow-profile", f"workflow/profiles/{profile}")
    asked = next(line for line in said.splitlines() if "slurm_extra=--exclusive" in line)
    expected = {
        "slurm": {"slurm_partition=all", "slurm_account=0123", "gpu_model=a100", "nodes=1"},
        "generic": {"gpu_kind=gpu:a100"},  # sbatch itself reads the other two
    }
    assert {"mem_mb=2000", "runtime=30", "gpu=1"} | expected[profile] <= set(asked.strip().split(", "))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("PENDING", "running"),
        ("REQUEUED", "running"),
        ("COMPLETING", "running"),
        ("COMPLETED", "success"),
        ("CANCELLED", "failed"),
        ("TIMEOUT", "failed"),
        ("OUT_OF_MEMORY", "failed"),
        ("NODE_FAIL", "failed"),
        ("PREEMPTED", "failed"),
    ],
)
def test_a_state_of_slurm_is_one_of_three(fake, state, expected):
    fake("scontrol", f"JobId=7 JobName=distill JobState={state} Reason=None")
    assert status() == expected
    assert status("7;cluster") == expected


def test_a_warning_beside_the_answer_hides_no_state(fake):
    fake("scontrol", "scontrol: warning: slow\nJobId=7 JobName=distill JobState=RUNNING Reason=None")
    assert status() == "running"


def test_a_silent_controller_is_asked_again(fake):
    fake("scontrol", "Unable to contact slurm controller (connect failure)", 1)
    assert status() == "running"


def test_a_forgotten_job_is_looked_up_in_the_accounting(fake):
    fake("scontrol", "slurm_load_jobs error: Invalid job id specified", 1)
    fake("sacct", "COMPLETED")
    assert status() == "success"
    fake("sacct", "CANCELLED by 1000")
    assert status() == "failed"


def test_a_forgotten_job_without_accounting_is_submitted_again(fake):
    fake("scontrol", "slurm_load_jobs error: Invalid job id specified", 1)
    fake("sacct", "Slurm accounting storage is disabled", 1)
    assert status() == "failed"


def test_cancelling_goes_on_when_the_script_is_killed_for_its_slowness(fake, tmp_path):
    part, cancelled = tmp_path / "part", tmp_path / "cancelled"
    fake("scancel", "")
    slow = f'#!/bin/sh\nsleep 2\necho "$@" > {part}\nmv {part} {cancelled}\n'
    (tmp_path / "scancel").write_text(slow)
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([PROFILES / "generic" / "cancel.sh", "7", "8;cluster"], timeout=1, check=True)
    until = time.monotonic() + 60
    while not cancelled.exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    assert cancelled.read_text() == "7 8\n"
