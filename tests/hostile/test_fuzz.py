"""Damaged files of every kind are read or refused by name: no crash, no hang, no flood of memory.

A few seconds in the normal run, with the same cases each time. A long one, with other cases:

    DELTADISTILL_FUZZ_SECONDS=600 DELTADISTILL_FUZZ_SEED=7 pytest tests/hostile/test_fuzz.py

What it finds is told as "seed reader number"; `python tests/hostile/attack.py FOLDER 0 SEED READER NUMBER`
repeats it (PYTHONPATH=.:tests).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS = os.environ.get("DELTADISTILL_FUZZ_SECONDS", "0")  # 0: three cases for each reader
SEED = os.environ.get("DELTADISTILL_FUZZ_SEED", "0")
GROUPS = {
    "networks": ["network file", "weights", "old weights", "safetensors", "settings", "architecture"],
    "settings": ["params", "overlay"],
    "data": ["manifest", "frames", "cityscapes", "examples"],
    "detection": ["boxes", "classes", "annotation", "list", "coco"],
    "pictures": ["png", "jpeg", "bmp", "tiff", "webp", "sheet"],
    "videos": ["mp4", "avi", "mkv", "gif", "animation", "avi as far as it goes"],
    "results": [
        "sweep", "consistency", "found", "layers", "curve", "macs", "totals", "latency", "provenance",
        "described",
    ],
}  # fmt: skip


def test_every_file_is_read_or_refused_by_name(tmp_path):
    done = attack(tmp_path, [reader for group in GROUPS.values() for reader in group])
    assert {case: text for report in done for case, text in report["wrong"].items()} == {}
    assert all(report["cases"] >= 3 for report in done)
    assert sum(report["refused"] for report in done) > len(done)  # the damage is worth the name


def test_readers_that_are_wrong_on_purpose_are_found(tmp_path):
    """The attack itself is tested: on a reader that crashes, one that hangs, and so on."""
    said = {"crashes": "raises KeyError", "hangs": "hangs", "floods": "too much memory", "writes": "wrote"}
    done = subprocess.run(
        [sys.executable, "-c", BAD_READERS, str(tmp_path), "0", "0", *said],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    reports = {report["reader"]: report for report in map(json.loads, done.stdout.splitlines())}
    for fault, text in said.items():
        wrong = reports[fault]["wrong"].values()
        assert [text in found for found in wrong] == [True] * 3


BAD_READERS = """
import time
from hostile import attack, readers

def make(folder):
    (folder / "a.txt").write_text("hello world")
    return [folder / "a.txt"]

def crashes(folder):
    raise KeyError("no such thing")

def hangs(folder):
    time.sleep(60)

def floods(folder):
    bytearray(2**40)

def writes(folder):
    (folder.parent / f"escaped{time.monotonic_ns()}").touch()

attack.MOST_SECONDS = 1
readers.READERS |= {read.__name__: readers.Reader(make, read) for read in (crashes, hangs, floods, writes)}
attack.main()
"""


def attack(folder: Path, names: list[str]) -> list[dict]:
    command = [sys.executable, HERE / "attack.py", folder, SECONDS, SEED, *names]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def environment() -> dict[str, str]:
    path = f"{HERE.parents[1]}{os.pathsep}{HERE.parent}"
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"}
