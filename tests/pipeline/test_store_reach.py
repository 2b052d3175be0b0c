"""A store of runs that is down, mute or locked: a stage says so once, and goes on within seconds."""

import fcntl
import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from deltadistill.pipeline import store_reach, tracking

# In a process of its own, as a stage is: MLflow keeps what it has found out about a store.
STAGE = """
import logging, sqlite3, sys, time
from deltadistill.pipeline import store_reach
from deltadistill.pipeline import tracking
logging.basicConfig(format="%(name)s: %(message)s")
logging.getLogger("urllib3").setLevel(logging.ERROR)
store_reach.ANSWER_S = tracking.FLUSH_S = 1
store_reach._LIMITS["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "1"
began = time.monotonic()
with tracking.stage_run("distill", params={"experiment": "street"}, folder="results") as run:
    if "lock later" in sys.argv:
        other = sqlite3.connect("mlflow.db")
        other.execute("BEGIN EXCLUSIVE")
    for step in range(3):
        run.log({"loss": 1.0}, step=step)
        time.sleep(0.6)
print(time.monotonic() - began)
"""
PATIENCE_S = (
    100  # MLflow by itself takes 260 s for a server that is down, and 20 minutes for one that is mute
)


def run(folder: Path, *arguments: str, uri: str = "") -> list[str]:
    """Run the stage; it must end well and in time. Returns what it printed as warnings."""
    environment = {name: value for name, value in os.environ.items() if name != tracking.SWITCH}
    environment |= {"MLFLOW_TRACKING_URI": uri, "GIT_CEILING_DIRECTORIES": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", STAGE, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "results" / "provenance.json").read_text())["stage"] == "distill"
    return [line for line in done.stderr.splitlines() if line.startswith("deltadistill.pipeline.tracking:")]


def test_a_server_that_is_down_stops_nothing(tmp_path):
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    [warning] = run(tmp_path, uri=f"http://127.0.0.1:{port}")
    assert "MLflow records nothing more of this stage" in warning
    assert "Connection refused" in warning or "Max retries" in warning


def test_a_server_that_never_answers_stops_nothing(tmp_path):
    with closing(socket.socket()) as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        [warning] = run(tmp_path, uri=f"http://127.0.0.1:{mute.getsockname()[1]}")
    assert "MLflow records nothing more of this stage" in warning


def test_a_database_that_another_process_has_locked_stops_nothing(tmp_path):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
        other.execute("CREATE TABLE held (x)")
        other.execute("BEGIN EXCLUSIVE")
        [warning] = run(tmp_path)
    assert "database is locked" in warning


@pytest.mark.faults  # MLflow waits for 20 s, whatever it is told
def test_a_database_that_is_locked_while_a_stage_runs_stops_nothing(tmp_path):
    [warning] = run(tmp_path, "lock later")
    assert "database is locked" in warning


def test_a_file_that_is_no_database_stops_nothing(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    [warning] = run(tmp_path)
    assert "file is not a database" in warning


def test_limits_that_the_user_has_set_stay():
    environment = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "300"}
    store_reach.limit_waiting(environment)
    assert environment == {"MLFLOW_HTTP_REQUEST_TIMEOUT": "300", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


def test_a_database_server_that_is_down_is_found_out():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        store_reach.require_answer(f"postgresql+psycopg2://user:word@127.0.0.1:{port}/mlflow")


@pytest.mark.parametrize(
    "uri", ["sqlite:///none.db", "sqlite:////{folder}/none.db", "http://127.0.0.1:1", "x"]
)
def test_what_can_be_asked_by_mlflow_alone_or_is_not_there_yet_is_left_to_it(tmp_path, uri):
    store_reach.require_answer(uri.format(folder=str(tmp_path).lstrip("/")))
    assert not list(tmp_path.iterdir())


def test_a_turn_that_another_process_does_not_give_back_is_not_waited_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(store_reach, "TURN_S", 0)
    lock = tmp_path / "lock"
    with lock.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            pytest.raises(TimeoutError, match=r"another process has held .*lock"),
            store_reach.turn(lock),
        ):
            raise AssertionError("the block must not run")
    with store_reach.turn(lock):
        pass


def test_turns_are_taken_one_after_the_other(tmp_path):
    inside, order = threading.Event(), []

    def wait_for_it():
        inside.wait()
        with store_reach.turn(tmp_path / "lock"):
            order.append("second")

    thread = threading.Thread(target=wait_for_it)
    thread.start()
    with store_reach.turn(tmp_path / "lock"):
        inside.set()
        thread.join(timeout=0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_store_that_takes_too_much_of_a_stages_time_is_given_up(tmp_path, monkeypatch, caplog):
    """A server that answers each time, but late."""
    now = [0.0]
    calls = []

    class Slow:
        def __init__(self, *_):
            pass

        def metrics(self, *_):
            calls.append(now[0])
            now[0] += 9

        def close(self, *_):
            calls.append(now[0])

    monkeypatch.delenv(tracking.SWITCH, raising=False)
    monkeypatch.setattr(tracking, "_MlflowRun", Slow)
    monkeypatch.setattr(tracking.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.WARNING), tracking.stage_run("distill", params={}, folder=tmp_path) as run:
        for step in range(100):
            run.log({"loss": 1.0}, step=step)
            now[0] += 1
    # 9 of every 10 s: 63 s after 7 calls, then above 60 s + 5 % of 69 s = 63.45 s with the eighth
    assert len(calls) == 8
    assert [record.message for record in caplog.records] == [
        "MLflow records nothing more of this stage: it has taken 72 s of the stage's time"
    ]
