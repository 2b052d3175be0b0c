"""A folder that must not be written to: nothing changes, and the error says which, not only that."""

import subprocess
import sys
from pathlib import Path

import pytest

from deltadistill.files import atomic
from deltadistill.files.result_files import write_json

ROOT = Path(__file__).resolve().parents[2]


def test_a_file_in_a_read_only_folder_is_refused_by_name(disk):
    path = disk.folder / "results" / "summary.json"
    write_json(path, {"miou": 70.5})
    before = disk.files()
    disk.make_read_only()
    with pytest.raises(
        atomic.WriteError,
        match=r"summary\.json cannot be written: Read-only .*allow writing there",
    ):
        write_json(path, {"miou": 71.0})
    assert disk.files() == before


def test_a_folder_that_cannot_be_made_is_refused_by_name(disk):
    disk.make_read_only()
    with (
        pytest.raises(atomic.WriteError, match=r"new/data cannot be written: Read-only file system"),
        atomic.folder(disk.folder / "new" / "data"),
    ):
        raise AssertionError("the block must not run")


def test_a_data_set_in_a_read_only_folder_stays(disk):
    with atomic.folder(disk.folder / "data") as folder:
        (folder / "manifest.csv").write_text("the data set before")
    disk.make_read_only()
    with (
        pytest.raises(atomic.WriteError, match="data cannot"),
        atomic.folder(disk.folder / "data"),
    ):
        raise AssertionError("the block must not run")
    assert disk.files() == {"data/manifest.csv": b"the data set before"}


def test_an_error_about_another_file_is_not_taken_for_one_of_writing(tmp_path):
    with pytest.raises(PermissionError) as caught, atomic.file(tmp_path / "a.txt") as beside:
        denied(beside.write_text("half"))
    assert not isinstance(caught.value, atomic.WriteError)
    assert not list(tmp_path.iterdir())


def test_a_stage_that_cannot_write_ends_with_one_line(disk):
    networks = disk.folder / "pretrain_teacher"
    networks.mkdir()
    disk.make_read_only()
    stage = [sys.executable, ROOT / "stages" / "collect_networks.py", "--artifacts", disk.folder]
    done = subprocess.run(stage, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(
        f"collect_networks: {disk.folder / 'networks'} cannot be written: Read-only file system"
    )


def denied(_done: object) -> None:
    raise PermissionError(13, "Permission denied", "/elsewhere/input.csv")
