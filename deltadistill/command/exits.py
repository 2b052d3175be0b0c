"""How a command ends: its exit codes, and errors as one sentence for whoever typed it."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from deltadistill.files.atomic import CANNOT_WRITE

DONE, USAGE, INPUT, OUTPUT, FAULT = 0, 1, 2, 3, 70
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
TRACEBACK = "DELTADISTILL_TRACEBACK"

TABLE = f"""exit codes:
  {DONE}    done
  {USAGE}    used in another way than the help says: a command, an option or a value that there is not
  {INPUT}    a network, video or file given cannot be used: missing, damaged, or of another kind
  {OUTPUT}    what was asked for cannot be written: no room, no permission, no folder
  {FAULT}   a fault of this program or of code that it was given; {TRACEBACK}=1 shows where
  {INTERRUPTED}  interrupted (Ctrl-C); files written until then are closed and can be used
  {TERMINATED}  ended by SIGTERM, likewise"""


class UsageError(ValueError):
    """The command line asks for what there is not."""


class OutputError(ValueError):
    """What was asked for cannot be written."""


class TerminatedError(BaseException):
    """SIGTERM came: everything is closed on the way out, as after Ctrl-C."""


class UnfinishedError(BaseException):
    """Something interrupted a command that has a result all the same: what it had done until then.

    result: as the command would have returned it. by: what came, KeyboardInterrupt or TerminatedError.
    """

    def __init__(self, result: Mapping[str, Any], by: BaseException):
        super().__init__(str(by))
        self.result, self.by = dict(result), by


def ended(error: BaseException) -> tuple[int, str]:
    """The exit code and the sentence for an error that ended a command."""
    if isinstance(error, UnfinishedError):
        return ended(error.by)
    if isinstance(error, TerminatedError):
        return TERMINATED, "ended by SIGTERM"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(error, UsageError):
        return USAGE, _sentence(error)
    if isinstance(error, OutputError) or getattr(error, "errno", None) in CANNOT_WRITE:
        return OUTPUT, _sentence(error)
    if type(error) in (ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError) or _is_ours(
        error
    ):
        return INPUT, _sentence(error)
    return (
        FAULT,
        f"{_place(error)}: {type(error).__name__}: {_sentence(error)}; {TRACEBACK}=1 shows the way there",
    )


def result_of(error: BaseException) -> Mapping[str, Any] | None:
    """What an interrupted command had done until then; None for every other error."""
    return error.result if isinstance(error, UnfinishedError) else None


def tell(code: int, sentence: str, *, as_json: bool, result: Mapping[str, Any] | None = None) -> None:
    """Say how a command ended, on stderr, and on stdout too where JSON is expected there.

    result: what it had done until it was interrupted; JSON is this then, and not an error.
    """
    print(f"deltadistill: {sentence}", file=sys.stderr)
    if as_json:
        said = {"error": sentence} if result is None else {**result, "interrupted": True}
        print(json.dumps({**said, "exit": code}, ensure_ascii=False))


def wants_traceback() -> bool:
    """Whether the user asked to see where errors come from."""
    return os.environ.get(TRACEBACK) == "1"


@contextmanager
def closing_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM ends the program as Ctrl-C does, through everything that has to be closed."""

    def stop(number: int, frame: object) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _is_ours(error: BaseException) -> bool:
    """Whether it is a subclass of ValueError from here; those of other libraries are faults to us."""
    return isinstance(error, ValueError) and type(error).__module__.split(".")[0] == "deltadistill"


def _place(error: BaseException) -> str:
    """File and line that raised the error."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
