"""Runners that copy or move answers between key frames, or between computed frames."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from preparation.small_videos import drifting

import deltadistill as dd
from deltadistill.runtime.between import DELTA, Between, FlowForm
from deltadistill.runtime.choice import decided
from deltadistill.runtime.filling import Filling
from deltadistill.runtime.moving import Moving
from deltadistill.runtime.runner_file import read_description
from deltadistill.video.decoders import labels

SIZE = (48, 64)
FRAMES = [np.ascontiguousarray(frame)[None] for frame in drifting(8, SIZE)]
MOVED = Between(kind="moved", flow=FlowForm(), decoder="labels")
COPIED = Between(kind="copied")


@pytest.fixture(scope="module")
def made(network, tmp_path_factory):
    """A function that writes the small network as a runner of pictures."""

    def make(between, period=4, **options):
        folder = tmp_path_factory.mktemp("runner") / "runner"
        example, form = torch.from_numpy(FRAMES[0]), dd.PictureForm(size=SIZE)
        dd.export(network, folder, example=example, pictures=form, period=period, between=between, **options)
        return folder

    return make


def keys(runner, frames=FRAMES):
    return [(runner(frame), runner.is_key_frame)[1] for frame in frames]


def test_copied_answers_are_those_of_the_key_frame_and_ones_own(made):
    runner = dd.Runner(made(COPIED), engine="onnxruntime", threads=1)
    answers = []
    for frame in FRAMES[:5]:
        answers.append(runner(frame))
        kept = answers[0].copy()
        answers[-1][:] = 0  # what was handed out may be written to
        answers[-1] = kept
    assert np.array_equal(runner(FRAMES[5]), runner(FRAMES[6]))
    runner.refresh()
    runner(FRAMES[0])
    assert runner.is_key_frame
    assert keys(runner, FRAMES[1:5]) == [False, False, False, True]


def test_moved_answers_are_the_key_frames_moved_along(made):
    runner = dd.Runner(made(MOVED), engine="onnxruntime", threads=1)
    first = runner(FRAMES[0])["label_map"]
    assert first.tolist() == labels(runner.session.frame(FRAMES[0])[0])["label_map"].tolist()
    moving = Moving()
    moving.begin(FRAMES[0][0], {"label_map": first})
    for frame in FRAMES[1:4]:
        assert np.array_equal(runner(frame)["label_map"], moving.moved(frame[0])["label_map"])
        assert not runner.is_key_frame
    runner(FRAMES[4])
    assert runner.is_key_frame


@pytest.mark.parametrize("between", [COPIED, MOVED], ids=["copied", "moved"])
def test_a_folder_whose_key_frames_alone_are_computed_holds_no_graphs_that_it_never_runs(made, between):
    calibration = [torch.from_numpy(frame) for frame in FRAMES]
    folder = made(between, calibration=calibration)
    assert {path.name for path in folder.iterdir()} == {"runner.json", "frame.onnx", "frame.int8.onnx"}
    description = read_description(folder)
    assert (list(description.graphs), list(description.int8), description.maps) == (["frame"], ["frame"], [])
    for precision in ("fp32", "int8"):
        runner = dd.Runner(folder, engine="onnxruntime", precision=precision)
        assert keys(runner) == [True, False, False, False, True, False, False, False]
    assert runner.state_bytes == 0


def test_of_a_network_without_blocks_there_is_the_per_frame_graph_alone(tmp_path, clip):
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1)).eval()
    dd.export(plain, tmp_path / "runner", example=torch.from_numpy(clip[0]), period=4)
    assert {path.name for path in (tmp_path / "runner").iterdir()} == {"runner.json", "frame.onnx"}
    for engine in ("onnxruntime", "auto"):
        runner = dd.Runner(tmp_path / "runner", engine=engine)
        expected = plain(torch.from_numpy(clip[0])).detach().numpy()
        assert np.allclose(runner(clip[0]), expected, atol=1e-5)
        assert keys(runner, clip[1:4]) == [True] * 3
    assert "the per-frame network is all there is" in runner.choice.reason


def test_a_folder_without_delta_graphs_that_says_it_computes_by_them_is_refused(made):
    folder = made(COPIED)
    content = json.loads((folder / "runner.json").read_text())
    for changed, told in [
        ({"between": {"kind": "copied", "every": 2}}, "computed by the delta graph, and there is none"),
        ({"maps": [{"name": "a", "shape": [1], "dtype": "float32"}]}, "there are no such graphs"),
    ]:
        (folder / "runner.json").write_text(json.dumps({**content, **changed}))
        with pytest.raises(ValueError, match=told):
            read_description(folder)


def test_every_so_many_frames_are_computed_by_the_delta_graph(made):
    every = COPIED.model_copy(update={"every": 2})
    runner = dd.Runner(made(every, period=6), engine="onnxruntime", threads=1)
    plain = dd.Runner(made(DELTA, period=6), engine="onnxruntime", threads=1)
    answers, expected = [runner(frame) for frame in FRAMES], [plain(frame) for frame in FRAMES]
    for number, of in enumerate([0, 0, 2, 2, 4, 4, 6, 6]):
        assert np.array_equal(answers[number], expected[of])


def test_a_folder_that_is_moved_with_a_decoder_of_ones_own_asks_for_it(made):
    folder = made(MOVED.model_copy(update={"decoder": None}))
    with pytest.raises(ValueError, match=r"decoder of its maker's own.*decode=, or --adapter"):
        dd.Runner(folder, engine="onnxruntime")
    assert "label_map" in dd.Runner(folder, engine="onnxruntime", decode=labels)(FRAMES[0])


def test_what_is_decoded_comes_one_by_one(made):
    runner = dd.Runner(made(COPIED, any_batch=True), engine="onnxruntime", decode=labels)
    assert runner.decodes
    with pytest.raises(ValueError, match="2 frames side by side, where answers are decoded one by one"):
        runner(np.concatenate(FRAMES[:2]))


def test_a_second_video_has_answers_of_its_own(made):
    one = dd.Runner(made(COPIED), engine="onnxruntime", threads=1)
    other = one.another()
    first = one(FRAMES[0]), other(FRAMES[7])
    assert np.array_equal(one(FRAMES[1]), first[0])
    assert np.array_equal(other(FRAMES[6]), first[1])


def test_an_older_folder_has_delta_frames(made):
    folder = made(DELTA)
    content = json.loads((folder / "runner.json").read_text())
    del content["between"]
    (folder / "runner.json").write_text(json.dumps(content))
    assert read_description(folder).between == DELTA


@pytest.mark.parametrize(
    ("between", "told"),
    [
        ({"kind": "magic"}, "between.kind"),
        ({"kind": "moved"}, 'flow goes with the kind "moved"'),
        ({"kind": "delta", "every": 2}, "every and decoder go with"),
        ({"kind": "copied", "every": 1}, "between.every"),
        ({"kind": "moved", "flow": {"side": 4}, "decoder": "labels"}, "between.flow.side"),
        ({"kind": "moved", "flow": {}, "decoder": "mine.py:decode"}, "between.decoder"),
    ],
)
def test_what_says_it_is_read_with_distrust(made, between, told):
    folder = made(DELTA)
    content = json.loads((folder / "runner.json").read_text())
    (folder / "runner.json").write_text(json.dumps(content | {"between": between}))
    with pytest.raises(ValueError, match=told):
        read_description(folder)


def test_tensors_are_not_moved(network, clip, tmp_path):
    with pytest.raises(ValueError, match='"moved" takes pictures'):
        dd.export(network, tmp_path / "r", example=torch.from_numpy(clip[0]), between=MOVED)


def test_how_many_frames_are_computed_and_when():
    every = Filling(Between(kind="copied", every=3))
    computed = []
    every.computed(FRAMES[0], 0, is_key=True)
    for frame in FRAMES[1:]:
        computed.append(every.is_computed())
        every.computed(frame, 0, is_key=False) if computed[-1] else every.answered(frame)
    assert computed == [False, False, True] * 2 + [False]
    assert [Between(kind="copied", every=3).computed(period) for period in (2, 3, 4, 7)] == [1, 1, 2, 3]
    assert (COPIED.computed(7), DELTA.computed(7)) == (1, 7)


TIMES = {"frame": {"one": 10.0}, "key": {"one": 14.0}, "delta": {"one": 8.0}}


@pytest.mark.parametrize(
    ("between", "milliseconds"),
    [
        (COPIED, "2.5 ms"),  # 10 / 4
        (MOVED, "4.0 ms"),  # (10 + 3·2) / 4
        (MOVED.model_copy(update={"every": 2}), "6.5 ms"),  # (14 + 8 + 2·2) / 4
    ],
)
def test_a_period_takes_what_its_computed_and_its_moved_frames_take(between, milliseconds):
    moving_ms = 2.0 if between.kind == "moved" else 0.0
    found = decided(TIMES, period=4, precision="fp32", between=between, moving_ms=moving_ms)
    assert milliseconds in found.reason
    assert not found.per_frame


def test_where_moving_takes_longer_than_the_network_every_frame_is_computed(made, monkeypatch):
    assert decided(TIMES, period=4, precision="fp32", between=MOVED, moving_ms=11.0).per_frame
    monkeypatch.setattr("deltadistill.runtime.choice._moving_ms", lambda description: 1e6)
    runner = dd.Runner(made(MOVED), threads=1)
    assert keys(runner, FRAMES[:3]) == [True] * 3
    assert "label_map" in runner(FRAMES[3])


def test_an_error_between_makes_the_next_frame_a_key_frame(made, monkeypatch):
    runner = dd.Runner(made(MOVED), engine="onnxruntime", threads=1)
    runner(FRAMES[0])
    monkeypatch.setattr(Moving, "moved", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runner(FRAMES[1])
    runner(FRAMES[2])
    assert runner.is_key_frame


def test_they_run_without_torch(made, tmp_path):
    script = (
        "import sys\nsys.modules['torch'] = None\nimport numpy as np, deltadistill as dd\n"
        f"runner = dd.Runner({str(made(MOVED))!r}, engine='onnxruntime', threads=1)\n"
        "frame = np.zeros((1, 48, 64, 3), np.uint8)\n"
        "runner(frame)\nprint(runner(frame)['label_map'].shape, runner.is_key_frame)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(24, 32) False"
