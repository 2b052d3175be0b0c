"""A Slurm of one machine with fake GPUs, and all pipelines that are run on it."""

import fcntl
import os
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from slurm.stories import PROFILES, Story, tell
from slurm.whole import real_stages, sweep

HERE = Path(__file__).parent
NOT_HERE = 3  # exit code of up.sh


@pytest.fixture(scope="session")
def slurm():
    """A running Slurm; skips with the reason where there cannot be one."""
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons need root")
    with Path("/run/deltadistill-slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one test session at a time
        up = subprocess.run([HERE / "up.sh"], stderr=subprocess.PIPE, text=True, check=False)
        if up.returncode == NOT_HERE:
            pytest.skip(up.stderr.strip())
        assert up.returncode == 0, up.stderr
        yield
        subprocess.run([HERE / "down.sh"], check=True)


@pytest.fixture(scope="session")
def told(slurm, tmp_path_factory) -> dict[str, Future]:
    """All pipelines, run side by side: most of their time is waiting."""
    calls = {f"story {profile}": (tell, profile) for profile in PROFILES}
    calls |= {f"whole {profile}": (real_stages, profile) for profile in PROFILES}
    calls["whole sweep"] = (sweep, "slurm")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(calls)) as pool:
        patch.setenv("SBATCH_PARTITION", "toy")  # the default partition ends every job after a minute
        patch.setenv("DELTADISTILL_GPU", "fake")
        patch.setenv("DELTADISTILL_PROCESSES", "2")  # of a real stage
        patch.delenv("SBATCH_ACCOUNT", raising=False)
        return {
            name: pool.submit(run, profile, tmp_path_factory.mktemp(name.replace(" ", "_")))
            for name, (run, profile) in calls.items()
        }


@pytest.fixture(scope="session", params=PROFILES)
def story(told, request) -> Story:
    return told[f"story {request.param}"].result()


@pytest.fixture
def profile(request) -> str:
    return request.node.callspec.params["story"]
