"""How many processes a job has, and on which nodes they are started."""

import os
import signal
import sys
import time

import pytest
from distributed.launching import TOY_STAGE, run, start
from distributed.test_faults_in_parallel import wait_for

from deltadistill.processes import launch

SCONTROL = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/asked"
echo localhost
echo second
"""
SRUN = """#!/bin/sh
# Runs the command twice on this machine, as if on two nodes, and hands SIGTERM and SIGUSR1 on.
echo "$@" > "$(dirname "$0")/steps"
while case "$1" in --*) true ;; *) false ;; esac; do shift; done
SLURM_NODEID=0 SLURM_PROCID=0 "$@" & first=$!
SLURM_NODEID=1 SLURM_PROCID=1 "$@" & second=$!
trap 'kill -TERM $first $second' TERM
trap 'kill -USR1 $first $second' USR1
worst=0
for task in $first $second; do
    while wait "$task"; code=$?; kill -0 "$task" 2> /dev/null; do true; done
    [ "$code" -gt "$worst" ] && worst=$code
done
exit "$worst"
"""


@pytest.fixture
def slurm(tmp_path):
    """Environment of a job of two nodes whose srun and scontrol are scripts, and their folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, content in (("scontrol", SCONTROL), ("srun", SRUN)):
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)
    job = {"SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ID": str(10000 + hash(tmp_path) % 10000)}
    changes = {**job, "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_CPUS_PER_TASK": "1", launch.PROCESSES: "1"}
    return folder, changes


def start_on_two_nodes(slurm, *arguments):
    folder, changes = slurm
    return start(TOY_STAGE, *arguments, PATH=f"{folder}:{os.environ['PATH']}", **changes)


def test_two_nodes_train_together_until_slurm_warns_one_of_them(slurm, tmp_path):
    folder, changes = slurm
    with start_on_two_nodes(slurm, tmp_path, "slow") as started:
        wait_for(tmp_path / "step3", started)
        started.send_signal(signal.SIGUSR1)
        _, said = started.communicate(timeout=120)
    assert started.returncode == 128 + signal.SIGUSR1, said
    assert said.count("training: SIGUSR1 after step") == 1
    assert (tmp_path / "processes").read_text() == "2"
    assert (tmp_path / "checkpoint" / "last.pt").is_file()
    assert (folder / "asked").read_text().strip() == "show hostnames n[1-2]"
    step = (folder / "steps").read_text()
    assert step.startswith("--nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=1 ")
    job = int(changes["SLURM_JOB_ID"])
    assert f"--rdzv-endpoint=localhost:{20000 + job % 10000} --rdzv-id={job} " in step


def test_a_process_that_fails_on_one_node_ends_both(slurm, tmp_path):
    begun = time.monotonic()
    with start_on_two_nodes(slurm, tmp_path, "bug") as started:
        _, said = started.communicate(timeout=120)
    assert started.returncode == 1
    assert said.count("Traceback (most recent call last)") == 1
    assert "KeyError: 'no such block'" in said
    assert said.count("toy_stage: another process ended before this one") <= 1  # on the other node
    assert time.monotonic() - begun < 90


def test_the_number_of_processes_is_asked_or_that_of_the_jobs_gpus(monkeypatch):
    monkeypatch.delenv("SLURM_GPUS_ON_NODE", raising=False)
    monkeypatch.setenv(launch.PROCESSES, "3")
    assert launch.processes_per_node() == 3
    monkeypatch.delenv(launch.PROCESSES)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert launch.processes_per_node() == 4
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "2")
    assert launch.processes_per_node() == 2
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert launch.processes_per_node() == 1


@pytest.mark.parametrize("wrong", ["0", "-1", "two", ""])
def test_a_number_of_processes_that_is_none_is_refused(wrong, monkeypatch):
    monkeypatch.setenv(launch.PROCESSES, wrong)
    with pytest.raises(ValueError, match=rf"DELTADISTILL_PROCESSES={wrong}: expected the number"):
        launch.processes_per_node()


def test_a_stage_alone_stays_in_its_process(monkeypatch):
    for name in ("SLURM_JOB_NUM_NODES", "TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(launch.PROCESSES, "1")
    monkeypatch.setattr(sys, "argv", ["stages/distill.py"])
    assert launch.over_all_processes() is None
    assert not launch.is_launched()
    assert launch.is_first()


def test_a_wrong_command_line_is_told_once_and_nothing_is_launched():
    stage = TOY_STAGE.parents[2] / "stages" / "distill.py"
    code, said = run(stage, "--seed", "x", **{launch.PROCESSES: "2"})
    assert code == 2
    assert said.count("usage:") == 1
