"""One pipeline at a time in a checkout; a second one says who is at work, and waits.

    python -m workflow.pipeline_lock COMMAND …

runs a command under the lock. Snakemake takes it by itself. DVC's own locks keep single stages apart, but do
not stop an overlay that goes on or off under a running pipeline, nor two plans of one graph.
"""

import fcntl
import json
import os
import socket
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

FILE = Path(".pipeline", "lock")
HOLDER = "DELTADISTILL_PIPELINE_LOCK"  # tells the commands under a lock which process took it
# Options by which Snakemake only shows or mends something; it need not wait then.
LOOKS = {
    "-n",
    "--dry-run",
    "--dryrun",
    "--lint",
    "--dag",
    "--rulegraph",
    "--filegraph",
    "--d3dag",
    "--unlock",
}
LOOKS |= {"--summary", "-D", "--detailed-summary", "--report", "--list-rules", "-l", "--list-target-rules"}

_held: list[int] = []  # file descriptors; the lock is gone with its last


def only_looks(arguments: Sequence[str]) -> bool:
    """Whether Snakemake called with these arguments runs no stage."""
    return not LOOKS.isdisjoint(argument.split("=")[0] for argument in arguments)


def take(command: str, *, wait: bool = True) -> bool:
    """Take the lock until this process ends; return whether it is ours, or that of a command around us.

    While another pipeline holds it, say which on stderr; then wait for its end, or with `wait` off go on.
    """
    FILE.parent.mkdir(exist_ok=True)
    descriptor = os.open(FILE, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder()
        if str(holder.get("pid")) == os.environ.get(HOLDER):
            os.close(descriptor)
            return True
        ending = (
            "waiting for its end" if wait else "this only looks, and shows the stages as that one left them"
        )
        print(
            f"another pipeline is at work here: {_described(holder)}; {ending}", file=sys.stderr, flush=True
        )
        if not wait:
            os.close(descriptor)
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    _describe(descriptor, command)
    _held.append(descriptor)
    return True


def _describe(descriptor: int, command: str) -> None:
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    holder = {"command": command, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder() -> dict[str, Any]:
    """What the holder wrote; empty in the moment before it has."""
    try:
        return json.loads(FILE.read_text())
    except json.JSONDecodeError:
        return {}


def _described(holder: dict[str, Any]) -> str:
    if not holder:
        return "one that has just begun"
    return "{command} (process {pid} on {host}, since {since})".format(**holder)


def main() -> None:
    """Run the command given under the lock, in place of this process."""
    command = sys.argv[1:]
    if not command:
        raise SystemExit(__doc__)
    if take(" ".join(command)):
        from workflow import dvc_files  # here, since the Snakefile imports this module without its package

        dvc_files.mend(os.curdir, dvc_files.projects(os.curdir))
        for descriptor in _held:  # whatever of the command is left when it is killed still works here
            os.set_inheritable(descriptor, True)
        os.environ.setdefault(HOLDER, str(os.getpid()))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
