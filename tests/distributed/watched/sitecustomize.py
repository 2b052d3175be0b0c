"""Python imports this first where the folder is in PYTHONPATH: it watches a stage from within.

WRITES_TO: a file that gets "rank path" for all that the process writes below WATCHED.
SIGTERM_AT_PART: "yes" sends the process that writes an evaluation's first part a SIGTERM.
"""

import os
import signal
import sys

WATCHED, WRITES_TO = os.environ["WATCHED"], os.environ["WRITES_TO"]
RANK = os.environ.get("RANK", "alone")


def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        note(path, writes=bool(mode and set(mode) & set("wax+")) or bool(flags & (os.O_WRONLY | os.O_RDWR)))
    if event in ("os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
        note(arguments[0], writes=True)
    if event == "os.rename":
        note(arguments[1], writes=True)
        is_part = os.path.basename(arguments[1]).startswith("batch")
        if is_part and os.environ.pop("SIGTERM_AT_PART", "no") == "yes":  # the first one alone
            os.kill(os.getpid(), signal.SIGTERM)


def note(path, *, writes):
    if writes and isinstance(path, (str, os.PathLike)):
        path = os.path.abspath(path)
        if path.startswith(WATCHED + os.sep):
            os.write(LOG, f"{RANK} {path}\n".encode())


LOG = os.open(WRITES_TO, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sys.addaudithook(watch)
