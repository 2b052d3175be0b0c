"""One pipeline at a time in a checkout; a second one says who is at work, and waits.

    python -m workflow.pipeline_lock COMMAND …

runs a command under the lock. Snakemake takes it by itself. DVC's own locks keep single stages apart, but do
not stop an overlay that goes on or off under a running pipeline, nor two plans of one graph.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deltadistill.files import file_lock

FILE = Path(".pipeline", "lock")
RUNNING = Path(".pipeline", "running")  # a lock per stage that ran as a job (run_stage.py)
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

    While another pipeline holds it, or a job is still at work that an ended one left, say which on stderr;
    then wait for its end, or with `wait` off go on.
    """
    if _is_held_around_us():
        return True
    descriptor = _taken(FILE, command, "another pipeline is at work here", wait)
    if descriptor is None:
        return False
    _held.append(descriptor)
    return all(_is_left_alone(path, wait) for path in sorted(RUNNING.glob("*")))


def _is_held_around_us() -> bool:
    """Whether this process was started by a command under the lock."""
    around = os.environ.get(HOLDER)
    return around is not None and FILE.is_file() and str(file_lock.holder(FILE).get("pid")) == around


def _is_left_alone(path: Path, wait: bool) -> bool:
    """Whether no job is at work on the stage of this lock, having waited for its end if asked to."""
    descriptor = _taken(path, None, "an earlier pipeline has left at work", wait)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _taken(path: Path, command: str | None, found: str, wait: bool) -> int | None:
    """A lock's descriptor; while somebody holds it, say so, then wait or with `wait` off return None."""
    descriptor = file_lock.take(path, command)
    if descriptor is None:
        ending = (
            "waiting for its end" if wait else "this only looks, and shows the stages as that one left them"
        )
        who = file_lock.described(file_lock.holder(path))
        print(f"{found}: {who}; {ending}", file=sys.stderr, flush=True)
        descriptor = file_lock.take(path, command, wait=True) if wait else None
    return descriptor


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
