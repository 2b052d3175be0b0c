"""The command line of stages: their arguments, and how a run that cannot be done ends."""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIGINT
from typing import TypeVar

from deltadistill.files import atomic
from deltadistill.pipeline.code_of_stages import require_noted_code
from deltadistill.processes import launch
from deltadistill.processes.spinning import watch_spinning

TRACEBACK = "DELTADISTILL_TRACEBACK"
# Of libgomp, which PyTorch's wheels for Linux carry: how its threads wait for each other.
WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")

Value = TypeVar("Value")


def run(main: Callable[[], None]) -> None:
    """Run a stage; an error that tells the user what to mend ends as its message and exit code 1.

    These are ValueError, FloatingPointError of a training that diverged, and OSError of a disk that is full
    or read-only. Other errors are bugs and keep their traceback; with DELTADISTILL_TRACEBACK=1 these do as
    well. Modules that the parameters name are found in the folder that the stage is run from.
    """
    _bound_spinning()
    sys.path.append(os.getcwd())  # Python itself looks beside the script
    if launch.is_launched():
        launch.leave(_run_as_one_of_several(main))
    try:
        main()
    except Exception as error:
        line = _for_the_user(error)
        if line is None:
            raise
        print(line, file=sys.stderr)
        raise SystemExit(1) from None


def _bound_spinning() -> None:
    """Let threads spin briefly while others hold a core, unless the user has decided how they wait."""
    if not any(name in os.environ for name in WAITING):
        watch_spinning()


def _run_as_one_of_several(main: Callable[[], None]) -> int:
    """Run a stage in a process whose launcher prints what went wrong; return the exit code."""
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    except KeyboardInterrupt:
        return 128 + SIGINT
    except Exception as error:
        launch.report(error, _for_the_user(error) or traceback.format_exc())
        return 1
    return 0


def _for_the_user(error: Exception) -> str | None:
    """The one line that says what to mend, or that another process should say it; None for a bug."""
    can_mend = type(error) in (ValueError, FloatingPointError, launch.PeerLostError) or _is_ours(error)
    can_mend |= isinstance(error, OSError) and error.errno in atomic.CANNOT_WRITE
    return f"{Path(sys.argv[0]).stem}: {error}" if can_mend and os.environ.get(TRACEBACK) != "1" else None


def _is_ours(error: Exception) -> bool:
    """Whether it is a subclass of ValueError from here; those of other libraries are bugs to us."""
    return isinstance(error, ValueError) and type(error).__module__.split(".")[0] == "deltadistill"


def of_variant(name: str, known: Mapping[str, Value]) -> Value:
    """What the section variants says of the variant `name`; ValueError if it does not know it."""
    return _named("variant", name, known, section="variants")


def of_training(name: str, known: Mapping[str, Value]) -> Value:
    """What the section distill.trainings says of the training `name`; ValueError if it does not know it."""
    return _named("training", name, known, section="distill.trainings")


def _named(option: str, name: str, known: Mapping[str, Value], *, section: str) -> Value:
    if name not in known:
        raise ValueError(
            f"--{option} {name}: not in {section} of the parameter file, which has {', '.join(known)}"
        )
    return known[name]


def parse(description: str, **helps: str) -> argparse.Namespace:
    """Parse the command line of a stage; `--help` shows `description` and what each argument is.

    helps: by name, what the argument is, "_" for "-". All are paths and required, but for `variant` and
        `training`, names, and `seed`, a number (0 where it is not given). Every stage has `params`, the
        parameter file, and `noted-code`; ValueError for code that is not as noted there.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameter file")
    parser.add_argument(
        "--noted-code", type=Path, help="what trace_code noted of this stage's code; optional"
    )
    for name, text in helps.items():
        option = f"--{name.replace('_', '-')}"
        if name == "seed":
            parser.add_argument(option, type=int, default=0, help=text)
        else:
            parser.add_argument(
                option, type=str if name in ("variant", "training") else Path, required=True, help=text
            )
    args = parser.parse_args()
    if args.noted_code:
        require_noted_code(args.noted_code)
    return args
