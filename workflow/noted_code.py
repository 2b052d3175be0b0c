"""The code that stages run, as noted by the stage trace_code: brought up to date before anything is planned.

What that stage writes decides which others are stale. Snakemake plans all jobs at once, so the stage never is
one of them: a run begins with it, and where nothing is to run, what it would write is worked out.
"""

import subprocess
import sys
from pathlib import Path

from deltadistill.pipeline import params as parameters
from deltadistill.pipeline.code_of_stages import code_of_stages, text_of

STAGE = "trace_code"


def is_noting(address: str) -> bool:
    """Whether the stage at a DVC address is the one that notes code."""
    return address.partition("@")[0] == STAGE


def note(root: str) -> None:
    """Run the stage by DVC; where it is up to date that takes a second."""
    command = [sys.executable, "-m", "workflow.run_stage", STAGE]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)


def out_of_date(root: str) -> set[str]:
    """Files of the stage, relative to `root`, that it would write anew or otherwise."""
    params = parameters.load(Path(root, "params.yaml"))
    folder = Path("artifacts", params.experiment, "code")
    wanted = {folder / name: text_of(code) for name, code in code_of_stages(params, Path(root)).items()}
    return {str(path) for path, text in wanted.items() if _content(Path(root, path)) != text}


def _content(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None
