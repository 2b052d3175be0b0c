"""A stage on two nodes of a real Slurm: it trains, is warned, and fails on one of them."""

import json
import os
import subprocess
import sys
import time

import pytest
from distributed.launching import TOY_STAGE, environment

from deltadistill.processes.launch import PROCESSES

pytestmark = pytest.mark.slurm
# Both nodes are this machine, whose name for itself is not theirs.
SCONTROL = """#!/bin/sh
[ "$1 $2" = "show hostnames" ] || exec /usr/bin/scontrol "$@"
echo localhost
"""


@pytest.fixture
def submit(slurm, tmp_path):
    """Submit the toy stage on two nodes; returns the job's number."""
    stand_in = tmp_path / "bin" / "scontrol"
    stand_in.parent.mkdir()
    stand_in.write_text(SCONTROL)
    stand_in.chmod(0o755)
    changes = {"PATH": f"{stand_in.parent}:{os.environ['PATH']}", PROCESSES: "1"}

    def do(trouble: str, *, inside: str = "") -> str:
        sbatch = ["sbatch", "--parsable", "--partition=toy", "--nodes=2", "--mem=3000", "--time=5"]
        script = f"#!/bin/sh\nexec {inside} {sys.executable} {TOY_STAGE} {tmp_path} '{trouble}'\n"
        options = [*sbatch, f"--output={tmp_path / 'log'}"]
        done = subprocess.run(
            options, input=script, env=environment(**changes), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    return do


def shown(job: str, entry: str) -> str:
    """An entry of what Slurm tells of a job."""
    command = ["scontrol", "--oneliner", "show", "job", job]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return said.partition(f" {entry}=")[2].split()[0]


def wait_until(holds, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.2)


def exit_code(job: str) -> str:
    """Its exit code, once it has ended."""
    wait_until(lambda: shown(job, "JobState") not in ("PENDING", "RUNNING", "COMPLETING"))
    return shown(job, "ExitCode")


@pytest.mark.parametrize("inside", ["", "srun --ntasks=1 --nodes=1"])  # as Snakemake's executor does
def test_two_nodes_train_together(submit, inside, tmp_path):
    assert exit_code(submit("none", inside=inside)) == "0:0", (tmp_path / "log").read_text()
    assert json.loads((tmp_path / "result.json").read_text())["processes"] == 2


def test_slurms_warning_stops_both_with_one_checkpoint(submit, tmp_path):
    job = submit("slow")
    wait_until((tmp_path / "step0").exists)
    subprocess.run(["scancel", "--signal=USR1", "--full", job], check=True)
    assert exit_code(job) == "138:0", (tmp_path / "log").read_text()
    assert (tmp_path / "log").read_text().count("training: SIGUSR1 after step") == 1
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["last.pt"]


def test_a_process_that_fails_ends_both_with_its_traceback(submit, tmp_path):
    # 143 where Slurm has ended the launcher of the other node first
    assert exit_code(submit("bug")) in ("1:0", "143:0")
    log = (tmp_path / "log").read_text()
    assert log.count("Traceback (most recent call last)") == 1
    assert "KeyError: 'no such block'" in log
