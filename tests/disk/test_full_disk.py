"""A full disk: what was there stays, nothing half-written is left, and the error says what is needed."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from matplotlib.figure import Figure

from deltadistill import models
from deltadistill.files import atomic, commented_yaml
from deltadistill.files.result_files import write_csv, write_json
from deltadistill.pipeline.report.figures import style
from deltadistill.preparation.division import Division
from deltadistill.preparation.video import extract_videos
from deltadistill.stored.network_file import save_network

ROOT = Path(__file__).resolve().parents[2]
PAGE = 4096  # room on a tmpfs comes in these
MODEL = {"name": "ddrnet23_slim", "classes": 4, "options": {"width": 4}}


def test_a_table_that_does_not_fit_leaves_the_one_before(disk):
    path = disk.folder / "results" / "curve.csv"
    write_csv(path, ["x"], [{"x": 1}])
    before = disk.files()
    disk.fill(but=4 * PAGE)
    with pytest.raises(atomic.WriteError, match=r"curve\.csv cannot be written: No space left on device"):
        write_csv(path, ["x"], ({"x": number} for number in range(100_000)))
    assert disk.files() == before


def test_values_that_do_not_fit_leave_those_before(disk):
    path = disk.folder / "summary.json"
    write_json(path, {"miou": 70.5})
    before = disk.files()
    disk.fill(but=PAGE)
    with pytest.raises(atomic.WriteError, match="what was there before is kept"):
        write_json(path, list(range(10_000)))
    assert disk.files() == before


def test_a_network_says_how_many_bytes_it_takes_and_for_how_many_there_was_room(disk):
    network = models.build(MODEL["name"], classes=4, width=4)
    path = disk.folder / "network.pt"
    save_network(path, network, MODEL)
    size = path.stat().st_size
    path.unlink()
    room = size // 2 // PAGE * PAGE
    disk.fill(but=room)
    with pytest.raises(atomic.WriteError, match=rf"takes {size:,} bytes, there was room for {room:,}"):
        save_network(path, network, MODEL)
    assert disk.files() == {}


def test_a_picture_that_does_not_fit_leaves_the_one_before(disk):
    path = disk.folder / "figure.png"
    path.write_bytes(b"the figure before")
    drawn = Figure(figsize=(8, 8))
    drawn.add_axes((0, 0, 1, 1)).imshow(np.random.default_rng(0).random((300, 300, 3)))
    disk.fill(but=2 * PAGE)
    with (
        pytest.raises(atomic.WriteError, match=r"figure\.png cannot"),
        atomic.file(path) as beside,
    ):
        style.to_png(drawn, beside)
    assert disk.files() == {"figure.png": b"the figure before"}


def test_frames_of_a_video_that_do_not_fit_leave_the_data_set_before(disk, tmp_path):
    video = write_video(tmp_path / "ride.mp4")
    data = disk.folder / "data"
    with atomic.folder(data) as folder:
        (folder / "manifest.csv").write_text("the data set before")
    disk.fill(but=20 * PAGE)
    division = Division(0.4, 0.3, 2)
    with (
        pytest.raises(atomic.WriteError, match=r"data cannot be written.* bytes of it were written"),
        atomic.folder(data) as folder,
    ):
        extract_videos([str(video)], folder, size=(96, 128), division=division, scene_cut_threshold=0.9)
    assert disk.files() == {"data/manifest.csv": b"the data set before"}


def test_a_stage_ends_with_one_line_and_the_data_set_before(disk):
    data = disk.folder / "data"
    with atomic.folder(data) as folder:
        (folder / "manifest.csv").write_text("the data set before")
    disk.fill(but=60 * PAGE)
    done = prepare(disk.folder, data)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line and "street clips" not in line]
    assert line.startswith(f"prepare_dataset: {data} cannot be written: No space left on device")
    assert disk.files() == {"data/manifest.csv": b"the data set before"}


def prepare(folder: Path, data: Path) -> subprocess.CompletedProcess:
    """Run the real stage; `folder` is where its results would lie. Its parameters lie elsewhere."""
    params = commented_yaml.load(ROOT / "params.yaml")
    params["prepare_dataset"]["kind"] = "generated"
    params["prepare_dataset"]["generated"] |= {
        "train_clips": 2,
        "tune_clips": 1,
        "test_clips": 1,
        "workers": 1,
    }
    written = folder.parent / "params.yaml"
    written.write_text(commented_yaml.dump(params))
    stage = [sys.executable, ROOT / "stages" / "prepare_dataset.py", "--params", written]
    stage += ["--data", data, "--results", folder / "results"]
    return subprocess.run(stage, capture_output=True, text=True, cwd=ROOT)


def write_video(path: Path) -> Path:
    draw = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _ in range(12):
            frame = draw.integers(0, 256, (96, 128, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path
