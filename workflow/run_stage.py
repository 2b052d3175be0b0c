"""Runs one stage by DVC as a job, of which a second may be on another machine; the later one waits.

    python -m workflow.run_stage ADDRESS

DVC's list of busy files tells processes by number alone, and takes those of other machines for dead. So a
lock of the stage's own, which a shared file system passes on, keeps a job from running what another one runs.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from deltadistill.files import file_lock
from workflow.pipeline_lock import RUNNING
from workflow.repro import repro

Paths = list[str]


def main() -> None:
    """Wait until no other job runs the stage, and run it unless it is up to date then."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    [address] = sys.argv[1:]
    with_lock(address)
    bear_being_taken_for_dead()
    raise SystemExit(repro(["--single-item", address], wait_for_lock=True))


def with_lock(address: str) -> None:
    """Take the stage's lock until this process ends, and all that it starts."""
    path = RUNNING / address.replace(os.sep, ":")
    descriptor = file_lock.take(path, address)
    if descriptor is None:
        print(f"{file_lock.described(file_lock.holder(path))} is at work; waiting for its end", flush=True)
        descriptor = file_lock.take(path, address, wait=True)
    os.set_inheritable(descriptor, True)


def bear_being_taken_for_dead() -> None:
    """Let DVC end well where a DVC on another machine has struck this process off the list of busy files.

    It would fail after its stage has run, and before it notes that in dvc.lock.
    """
    from dvc import rwlock

    rwlock._release_write = _of_those_left(rwlock._release_write, "write", lambda entry, info: entry == info)
    rwlock._release_read = _of_those_left(rwlock._release_read, "read", lambda entry, info: info in entry)


def _of_those_left(
    release: Callable[[dict[str, Any], Any, Paths], None], mode: str, is_there: Callable[[Any, Any], bool]
) -> Callable[[dict[str, Any], Any, Paths], None]:
    def forgiving(lock: dict[str, Any], info: Any, paths: Paths) -> None:
        entries = lock.get(mode, {})
        release(lock, info, [path for path in paths if path in entries and is_there(entries[path], info)])

    return forgiving


if __name__ == "__main__":
    main()
