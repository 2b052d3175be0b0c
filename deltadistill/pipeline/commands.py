"""Runs a command to its end, however often signals ask this process to end: the command is told instead."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

_HANDED_ON = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


def run_to_end(command: Sequence[str]) -> int:
    """Run a command and return its exit code; SIGINT, SIGHUP and SIGTERM meanwhile go to it alone.

    It has a session of its own, or else it would hear every Ctrl-C twice: from the terminal and from us.
    """
    with subprocess.Popen(command, start_new_session=True) as process:
        before = {number: signal.getsignal(number) for number in _HANDED_ON}
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, lambda came, frame: _hand_on(came, process))
        try:
            return process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _hand_on(number: int, process: subprocess.Popen) -> None:
    """To all processes of the command, as the terminal does: one left over would run on unwatched."""
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it ended in this very moment
            os.killpg(process.pid, number)
