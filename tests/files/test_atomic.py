"""A file or folder is there as a whole or not at all."""

import subprocess
import sys

import pytest

from deltadistill.files import atomic


def test_a_file_appears_with_what_was_written_and_nothing_else_stays(tmp_path):
    with atomic.file(tmp_path / "new" / "network.pt") as beside:
        assert beside.suffix == ".pt"
        beside.write_text("weights")
        assert not (tmp_path / "new" / "network.pt").exists()
    assert (tmp_path / "new" / "network.pt").read_text() == "weights"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_an_error_leaves_the_file_that_was_there_and_no_other(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic.file(tmp_path / "a.txt") as beside:
        interrupt(beside.write_text("half"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic.file(tmp_path / "a.txt"):
        pass


def test_a_folder_replaces_the_one_before_as_a_whole(tmp_path):
    for name in ("first", "second"):
        with atomic.folder(tmp_path / "data") as beside:
            (beside / "inner").mkdir()
            (beside / "inner" / name).write_text(name)
    assert [path.name for path in (tmp_path / "data" / "inner").iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_error_leaves_the_folder_that_was_there_and_no_other(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "old").touch()
    with pytest.raises(KeyboardInterrupt), atomic.folder(tmp_path / "data") as beside:
        interrupt((beside / "half").touch())
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["old"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with atomic.file(tmp_path / "a.txt") as first, atomic.file(tmp_path / "a.txt") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a.txt").read_text() == "first"


KILLED = """
import os, sys
from deltadistill.files import atomic
with getattr(atomic, sys.argv[1])(sys.argv[2]) as beside:
    (beside / "half" if beside.is_dir() else beside).write_text("half")
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_writer_left_is_removed_by_the_next_one(kind, tmp_path):
    target = tmp_path / "a.b.txt"
    subprocess.run([sys.executable, "-c", KILLED, kind, target], check=False)
    other = tmp_path / ".a.b.another-machine-1-00.tmp.txt"
    other.touch()
    assert len(list(tmp_path.iterdir())) == 2
    with getattr(atomic, kind)(target) as beside:
        (beside / "whole" if kind == "folder" else beside).write_text("whole")
    assert sorted(tmp_path.iterdir()) == [other, target]


def test_what_a_running_writer_is_at_stays(tmp_path):
    with atomic.file(tmp_path / "a.txt") as first:
        first.write_text("first")
        with atomic.file(tmp_path / "a.txt") as second:
            second.write_text("second")
            assert first.exists()


def interrupt(_done: object) -> None:
    raise KeyboardInterrupt
