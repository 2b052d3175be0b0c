"""One pipeline at a time in a checkout; a second one says who is at work, and waits.

    python -m workflow.pipeline_lock COMMAND …

runs a command under the lock. Snakemake takes it by itself. DVC's own locks keep single stages apart, but do
not stop an overlay that goes on or off under a running pipeline, nor two plans of one graph.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deltadistill import file_lock

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
    descriptor = file_lock.take(FILE, command)
    if descriptor is None:
        holder = file_lock.holder(FILE)
        if str(holder.get("pid")) == os.environ.get(HOLDER):
            return True
        _say(f"another pipeline is at work here: {file_lock.described(holder)}", wait)
        if not wait:
            return False
        descriptor = file_lock.take(FILE, command, wait=True)
    _held.append(descriptor)
    return all(_left_alone(path, wait) for path in sorted(RUNNING.glob("*")))


def _left_alone(path: Path, wait: bool) -> bool:
    """Whether no job is at work on the stage of this lock, having waited for its end if asked to."""
    descriptor = file_lock.take(path, "looking")
    if descriptor is None:
        _say(f"an earlier pipeline has left at work: {file_lock.described(file_lock.holder(path))}", wait)
        if not wait:
            return False
        descriptor = file_lock.take(path, "looking", wait=True)
    os.close(descriptor)
    return True


def _say(who: str, wait: bool) -> None:
    ending = "waiting for its end" if wait else "this only looks, and shows the stages as that one left them"
    print(f"{who}; {ending}", file=sys.stderr, flush=True)


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
