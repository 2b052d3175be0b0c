"""A runner says frame by frame what a Stream says, in every engine, and needs no PyTorch."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import deltadistill as dd
from deltadistill.blocks.schedules import Adaptive, OnDemand

ENGINES = ("onnxruntime", "openvino")


@pytest.fixture(params=ENGINES)
def engine(request):
    pytest.importorskip(request.param)
    return request.param


def streamed(network, frames, **settings):
    stream = dd.Stream(network, **settings)
    return [stream(torch.from_numpy(frame)).numpy() for frame in frames]


def test_frame_for_frame_it_is_a_stream_with_resets_and_refreshes_in_any_order(network, clip, folder, engine):
    runner, stream = dd.Runner(folder, engine=engine, threads=1), dd.Stream(network, period=4)
    generator = np.random.default_rng(2)
    for number in range(200):
        if (turn := generator.integers(12)) < 2:
            for each in (runner, stream):
                each.reset() if turn else each.refresh()
        frame = clip[number % len(clip)]
        expected = stream(torch.from_numpy(frame)).numpy()
        np.testing.assert_allclose(runner(frame), expected, rtol=1e-4, atol=1e-5)
        assert runner.is_key_frame == stream.is_key_frame


def test_an_answer_does_not_change_when_the_next_frame_is_computed(clip, folder, engine):
    runner = dd.Runner(folder, engine=engine, threads=1)
    answers = [runner(frame) for frame in clip]
    copies = [answer.copy() for answer in answers]
    for frame in clip:
        runner(frame)
    assert all(np.array_equal(answer, copy) for answer, copy in zip(answers, copies, strict=True))


def test_a_frame_may_be_written_over_after_the_call(network, clip, folder, engine):
    runner = dd.Runner(folder, engine=engine, threads=1)
    place = np.empty_like(clip[0])
    answers = []
    for frame in clip[:6]:
        place[:] = frame
        answers.append(runner(place))
    np.testing.assert_allclose(answers, streamed(network, clip[:6], period=4), rtol=1e-4, atol=1e-5)


def test_two_videos_may_take_turns_on_what_is_loaded_once(network, clip, folder, engine):
    one = dd.Runner(folder, engine=engine, threads=1)
    other = one.another()
    answers = [(one(a), other(b)) for a, b in zip(clip, clip[::-1], strict=True)]
    for made, frames in zip(zip(*answers, strict=True), (clip, clip[::-1]), strict=True):
        np.testing.assert_allclose(made, streamed(network, frames, period=4), rtol=1e-4, atol=1e-5)


def test_any_number_of_streams_side_by_side(network, clip, tmp_path):
    dd.export(network, tmp_path / "runner", example=torch.from_numpy(clip[0]), period=3, any_batch=True)
    runner = dd.Runner(tmp_path / "runner", engine="onnxruntime", threads=1)
    for streams in (1, 3):
        runner.reset()
        frames = [np.concatenate([clip[(n + k) % 12] for k in range(streams)]) for n in range(5)]
        made = [runner(frame) for frame in frames]
        np.testing.assert_allclose(made, streamed(network, frames, period=3), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"2 frames side by side follow a key frame of 3; call reset\(\)"):
        runner(np.concatenate([clip[0], clip[1]]))
    with pytest.raises(ValueError, match=r"openvino.*may change their size"):
        dd.Runner(tmp_path / "runner", engine="openvino")


def test_bf16_is_close_where_the_processor_has_it(network, clip, folder):
    try:
        runner = dd.Runner(folder, engine="openvino", threads=1, precision="bf16")
    except ValueError as error:
        assert "no bf16" in str(error)  # noqa: PT017, said, not fallen back from
        return
    made = np.array([runner(frame) for frame in clip])
    expected = np.array(streamed(network, clip, period=4))
    assert np.abs(made - expected).max() < 0.05 * np.abs(expected).max()
    assert made.dtype == np.float32


def test_schedules_of_ones_own_decide_instead_of_the_period(clip, folder):
    runner = dd.Runner(folder, engine="onnxruntime", schedule=OnDemand())
    keys = []
    for number, frame in enumerate(clip):
        if number == 7:
            runner.refresh()
        runner(frame)
        keys.append(runner.is_key_frame)
    assert [number for number, is_key in enumerate(keys) if is_key] == [0, 7]
    with pytest.raises(ValueError, match="schedule that cannot be shared"):
        runner.another()
    with pytest.raises(ValueError, match="period 3 and a schedule are given"):
        dd.Runner(folder, engine="onnxruntime", period=3, schedule=OnDemand())


def test_a_folder_may_say_that_key_frames_come_with_change(clip, folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    content = json.loads((copy / "runner.json").read_text())
    content["schedule"] = {"period": 4, "adaptive": {"threshold": 0.5, "longest": 6}}
    (copy / "runner.json").write_text(json.dumps(content))
    bright = [np.full_like(clip[0], level) for level in (0, 0, 0.2, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6)]
    first = dd.Runner(copy, engine="onnxruntime")
    for runner in (first, first.another(), dd.Runner(copy, engine="onnxruntime", period=3)):
        keys = []
        for number, frame in enumerate(bright):
            runner(frame)
            keys += [number] if runner.is_key_frame else []
        assert keys == ([0, 3, 6, 9] if runner.description is not first.description else [0, 4, 10])


def test_an_adaptive_schedule_sees_arrays_as_it_sees_tensors(clip):
    frames = (255 * clip.clip(0, 1)).astype(np.uint8)
    of_arrays, of_tensors = Adaptive(30.0), Adaptive(30.0)
    for frame in frames:
        due = of_arrays.is_due(frame)
        assert due == of_tensors.is_due(torch.from_numpy(frame))
        of_arrays.note(frame, is_key=due)
        of_tensors.note(torch.from_numpy(frame), is_key=due)


def test_after_an_error_the_next_frame_is_a_key_frame(clip, folder, monkeypatch):
    runner = dd.Runner(folder, engine="onnxruntime")
    runner(clip[0])
    monkeypatch.setattr(runner.session, "delta", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runner(clip[1])
    monkeypatch.undo()
    runner(clip[2])
    assert runner.is_key_frame


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            np.zeros((1, 3, 16, 25), np.float32),
            r"shape \(1, 3, 16, 25\), where this runner takes float32 of sha",
        ),
        (np.zeros((1, 3, 16, 24)), r"a frame of float64 and shape \(1, 3, 16, 24\), where .* takes float32"),
        (torch.zeros(1, 3, 16, 24), r"expected a numpy array, got Tensor; .*tensor.numpy\(\)"),
    ],
)
def test_frames_of_another_form_are_refused_and_nothing_is_lost(clip, folder, frame, message):
    runner = dd.Runner(folder, engine="onnxruntime")
    runner(clip[0])
    with pytest.raises(ValueError, match=message):
        runner(frame)
    runner(clip[1])
    assert not runner.is_key_frame


def test_pictures_are_normalised_in_the_graph(network, tmp_path):
    form = dd.PictureForm(size=(16, 24), order="bgr", mean=(0.4, 0.5, 0.6), deviation=(0.2, 0.3, 0.4))
    pictures = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 24, 3), dtype=np.uint8)
    dd.export(network, tmp_path / "r", example=torch.from_numpy(pictures[0]), period=3, pictures=form)
    runner = dd.Runner(tmp_path / "r", engine="onnxruntime")
    blue_first = pictures[..., ::-1].astype(np.float32) / 255
    frames = ((blue_first - form.mean) / form.deviation).astype(np.float32).transpose(0, 1, 4, 2, 3)
    expected = streamed(network, np.ascontiguousarray(frames), period=3)
    np.testing.assert_allclose([runner(each) for each in pictures], expected, rtol=1e-4, atol=1e-4)
    assert runner.description.pictures.form() == form


def test_outputs_come_back_in_the_networks_own_form(network, clip, tmp_path):
    def run(network, frame):
        (z,) = (network(frame),)
        return {"maps": [z, z + 1], "best": (z.argmax(1),), "scale": 4}

    dd.export(network, tmp_path / "r", example=torch.from_numpy(clip[0]), run=run)
    answer = dd.Runner(tmp_path / "r", engine="onnxruntime")(clip[0])
    expected = run(network, torch.from_numpy(clip[0]))
    assert answer.keys() == expected.keys()
    assert (type(answer["maps"]), type(answer["best"]), answer["scale"]) == (list, tuple, 4)
    np.testing.assert_allclose(answer["maps"][1], expected["maps"][1].detach().numpy(), rtol=1e-4, atol=1e-5)


def run(script, folder):
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder
    )
    return done.stdout.strip()


def test_it_runs_in_a_process_that_never_imports_torch(folder, tmp_path):
    script = (
        "import sys, numpy as np, deltadistill as dd\n"
        f"runner = dd.Runner({str(folder)!r}, threads=1)\n"
        "runner(np.zeros((1, 3, 16, 24), np.float32))\n"
        "print(sorted({'torch', 'torchvision', 'cv2', 'matplotlib'} & set(sys.modules)))\n"
    )
    assert run(script, tmp_path) == "[]"


def test_without_torch_a_runner_runs_and_the_rest_says_what_to_install(folder, tmp_path):
    script = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['torchvision'] = None\n"
        "import numpy as np, deltadistill as dd\n"
        f"runner = dd.Runner({str(folder)!r}, threads=1)\n"
        "print(runner(np.zeros((1, 3, 16, 24), np.float32)).shape)\n"
        "try:\n"
        "    dd.convert\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    shape, message = run(script, tmp_path).splitlines()
    assert shape == "(1, 4, 8, 12)"
    assert message == (
        "deltadistill.convert needs PyTorch, which is not installed; pip install 'deltadistill[torch]'"
    )
