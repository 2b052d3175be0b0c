"""A lock that is a file with a note of who holds it; free as soon as the holder has ended, however it did.

The kernel keeps it (flock), and a shared file system that knows file locks passes it on to other machines.
"""

import fcntl
import json
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import Any


def take(path: Path, command: str | None, *, wait: bool = False) -> int | None:
    """Lock `path` with a note of who does; return the descriptor to close, or None where somebody holds it.

    command: None leaves no note, for a lock that is given back at once. With `wait` on, wait for the holder's
    end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    if command is not None:
        note = json.dumps(_note(command)).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note, 0)
    return descriptor


def holder(path: Path) -> dict[str, Any]:
    """What the holder noted; empty in the moment before it has."""
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError:
        return {}


def described(holder: dict[str, Any]) -> str:
    """The holder in words."""
    if not holder:
        return "one that has just begun"
    where = f"{holder['host']}, job {holder['job']}" if holder["job"] else holder["host"]
    return f"{holder['command']} (process {holder['pid']} on {where}, since {holder['since']})"


def _note(command: str) -> dict[str, Any]:
    return {
        "command": command,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "job": os.environ.get("SLURM_JOB_ID"),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
