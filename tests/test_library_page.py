"""docs/library.md, docs/distilling.md and docs/streams.md run as written, from top to bottom."""

import re
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.models import building

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "library.md").read_text()


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "video.mp4"
    pictures = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_the_blocks_run_one_after_the_other_and_what_is_loaded_is_what_was_saved(
    video, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(building, "REGISTERED", {})
    names = {"video": str(video), "steps": 4}
    for code in re.findall(r"```python\n(.*?)```", PAGE, flags=re.S):
        exec(code, names)
    assert names["clips"].shape == (4, 3, 3, 64, 64)
    frame = names["frames"][:1]
    for copy in ("loaded", "rebuilt"):
        torch.testing.assert_close(names[copy].eval()(frame), names["deployed"](frame))
    assert len(names["predictions"]) == 12
    assert len(PAGE.splitlines()) < 120


def test_the_page_about_distilling_runs_as_written():
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.Conv2d(8, 4, 1),
    )
    clips = torch.rand(4, 1, 3, 16, 24) + 0.2 * torch.rand(4, 3, 3, 16, 24)
    names = {"network": nn.Sequential(*layers).eval(), "clips": clips, "frames": clips[:, 0], "steps": 2}
    page = (Path(__file__).resolve().parents[1] / "docs/distilling.md").read_text()
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.S):
        exec(code, names)
    assert names["denoised"].shape == (1, 3, 16, 24)


class _Runner:
    """What a runner makes, on the network itself."""

    def __init__(self, network):
        self._network = network

    def another(self, *, schedule=None):
        return dd.Stream(self._network, schedule=schedule or FixedPeriod(3))


def test_the_page_about_streams_runs_as_written(capsys):
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 3)).eval()
    still = torch.rand(1, 3, 16, 24)
    names = {"deployed": dd.convert(network, dd.LinearStudent(), dd.all_convolutions)}
    names["frames"] = [still, still, still + 0.1]
    names |= {"door_frame": still, "yard_frame": still, "runner": _Runner(names["deployed"])}
    page = (Path(__file__).resolve().parents[1] / "docs/streams.md").read_text()
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.S):
        exec(code, names)
    assert capsys.readouterr().out.split() == ["True", "False", "True"]
    assert list(names["streams"]) == ["door", "gate"]
    names["streams"]({"door": still})
    assert names["streams"]["door"].is_key_frame


def test_the_page_about_milliseconds_runs_as_written(capsys):
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Conv2d(16, 4, 1))
    names = {"network": nn.Sequential(*layers).eval(), "frames": torch.rand(2, 3, 32, 48)}
    page = (Path(__file__).resolve().parents[1] / "docs/milliseconds.md").read_text()
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.S):
        exec(code, names)
    assert "times of layers by: profile" in capsys.readouterr().out
