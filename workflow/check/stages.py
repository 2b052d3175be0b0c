"""Runs every stage of the graph in this process, in the working folder: a copy made for it.

    python workflow/check/stages.py

One line of JSON per stage: what it is, seconds, peak memory, and its last words where it failed. Their
output goes to logs/. prepare_dataset has been run already. In one process, since importing torch anew for
each stage would take longer than the stages.
"""

import json
import resource
import runpy
import shlex
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

DONE_ALREADY = "prepare_dataset"
LOGS = Path("logs")


def main() -> None:
    """Run them in the graph's order; the first that fails is the last."""
    LOGS.mkdir(exist_ok=True)
    for address, command in commands():
        if address.split("@")[0] == DONE_ALREADY:
            continue
        started = time.monotonic()
        fault = run(command, LOGS / f"{address.replace('@', '_')}.log")
        row = {"stage": address, "seconds": time.monotonic() - started, "peak": peak_bytes(), "fault": fault}
        print(json.dumps(row), flush=True)
        if fault:
            return


def commands() -> list[tuple[str, str]]:
    """Address and command of every stage in dvc.yaml, as DVC resolves them, in the order written there."""
    from dvc.repo import Repo
    from dvc.repo.index import Index

    with Repo(".") as repo:
        stages = Index.from_file(repo, str(Path("dvc.yaml").absolute())).stages
        return [(stage.addressing, stage.cmd) for stage in stages]


def run(command: str, log: Path) -> str | None:
    """Run `python SCRIPT ARGUMENTS` in this process; return its last words if it failed."""
    _, script, *arguments = shlex.split(command)
    sys.argv = [script, *arguments]
    with log.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as stop:
            if not stop.code:
                return None
        except Exception:
            traceback.print_exc()
        else:
            return None
    return log.read_text().strip().splitlines()[-1]


def peak_bytes() -> int:
    """The most memory so far: of the GPU where there is one, else of this process."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
