"""`dvc repro`, which notes in dvc.lock what a stage depended on as it was when the stage began.

    python -m workflow.repro [what dvc repro takes]

DVC looks at dependencies again when the command has ended. What was edited meanwhile, it would record as what
the result was made from, and the stage would be up to date with a file that it never saw.
"""

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvc.stage import Stage

log = logging.getLogger("dvc.workflow.repro")  # DVC's own logger shows it


def repro(arguments: Sequence[str], *, wait_for_lock: bool = False) -> int:
    """Run `dvc repro` with these arguments, and return its exit code."""
    from dvc.cli import main as dvc

    record_what_stages_began_with()
    return dvc([*(["--wait-for-lock"] if wait_for_lock else []), "repro", *arguments])


def record_what_stages_began_with() -> None:
    """Let DVC, in this process, keep what it noted of dependencies before a stage's command."""
    from dvc.stage import run

    command = run.cmd_run

    def keeping(stage: "Stage", *arguments: Any, **options: Any) -> None:
        command(stage, *arguments, **options)
        if not options.get("dry"):
            _keep(stage)

    run.cmd_run = keeping


def _keep(stage: "Stage") -> None:
    edited = [dependency for dependency in stage.deps if dependency.status()]
    if edited:
        log.warning(
            "%s changed while %s ran, which is recorded with what it began with, and is stale",
            ", ".join(map(str, edited)),
            stage.addressing,
        )
    stage.save_deps = lambda allow_missing=False: None


if __name__ == "__main__":
    sys.exit(repro(sys.argv[1:]))
