"""Whether a store of runs can be reached, found out in seconds: MLflow itself tries for minutes."""

import fcntl
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ANSWER_S = 10  # longest wait for a database, or for one answer of a server
TURN_S = 60  # longest wait for other processes of this pipeline that open the same store
_POLL_S = 0.1
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
# MLflow's own are 120 s a try and 7 tries: a server that is down would hold every stage up for 4 minutes, one
# that never answers for 20.
_LIMITS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(ANSWER_S), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


def limit_waiting(environment: Mapping[str, str] = os.environ) -> None:
    """Set MLflow's limits for servers, where they are not set already."""
    for name, value in _LIMITS.items():
        environment.setdefault(name, value)


def require_answer(uri: str) -> None:
    """OSError or sqlite3.Error for a database that is locked or cannot be reached within ANSWER_S.

    Servers of MLflow (http) are asked by MLflow, under `limit_waiting`.
    """
    parts = urlsplit(uri)
    kind = parts.scheme.split("+")[0]
    if kind == "sqlite":
        _require_unlocked(Path(uri.split("://", 1)[1].removeprefix("/").split("?")[0]))
    elif kind in _PORTS and parts.hostname:
        socket.create_connection((parts.hostname, parts.port or _PORTS[kind]), timeout=ANSWER_S).close()


def _require_unlocked(path: Path) -> None:
    if not path.is_file():
        return  # MLflow makes it
    with closing(sqlite3.connect(path, timeout=ANSWER_S)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()


@contextmanager
def turn(lock: Path) -> Iterator[None]:
    """One process at a time; TimeoutError where the others take longer than TURN_S."""
    end = time.monotonic() + TURN_S
    with lock.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(f"another process has held {lock} for {TURN_S} s") from None
                time.sleep(_POLL_S)
        yield
