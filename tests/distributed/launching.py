"""How tests start several processes: as a user does, or from the test's own process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOY_STAGE = HERE / "toy_stage.py"


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what a scheduler or a launcher may have put there."""
    foreign = ("SLURM_", "TORCHELASTIC", "RANK", "WORLD_SIZE", "LOCAL_", "DELTADISTILL_PROCESSES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DELTADISTILL_TRACKING": "off"} | changes


def start(script: Path, *arguments: object, inside: Path | None = None, **changes: str) -> subprocess.Popen:
    """Start a script as a stage is started, in a folder if not in this one."""
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=inside,
        env=environment(**changes),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(script: Path, *arguments: object, **changes: str) -> tuple[int, str]:
    """Run it to its end; return exit code and what it said."""
    with start(script, *arguments, **changes) as started:
        _, said = started.communicate(timeout=120)
    return started.returncode, said


def found_by_two(script: Path, file: Path, *, timeout: float) -> Any:
    """What a script that is run by two processes under torchrun writes to `file`, as JSON."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = environment(PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
    call = [*torchrun, str(script), str(file)]
    subprocess.run(call, env=paths, check=True, capture_output=True, timeout=timeout)
    return json.loads(file.read_text())
