"""Runners whose maps are moved along with the picture: equal to the eager moved stream, frame by frame."""

import json
import subprocess
import sys
from argparse import Namespace
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from preparation.small_videos import drifting
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.moved_rule import MovedDeltaRule, MovedLinearStudent, maps_moved
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.command import exported
from deltadistill.data.frames import MEAN, STD
from deltadistill.motion.cells import CellMotion
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import build
from deltadistill.runtime import choice
from deltadistill.runtime.between import Between, FlowForm
from deltadistill.runtime.engine import engines_for
from deltadistill.runtime.map_motion import MapMotion
from deltadistill.runtime.moving_maps import Lying, everything_moves, moved
from deltadistill.runtime.runner import graphs_in
from deltadistill.runtime.runner_file import read_description
from deltadistill.video.decoders import labels

SIZE = (48, 64)
PICTURES = dd.PictureForm(size=SIZE, mean=MEAN, deviation=STD)
FRAMES = [np.ascontiguousarray(frame)[None] for frame in drifting(32, SIZE)[::4]]
ENGINES = ("onnxruntime", "openvino")
ALL = MapMotion()


class Residual(nn.Module):
    """Maps of 16 channels, which lie in blocks, of 14, which are filled up to one, of 4, and two summed."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.one = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.two = nn.Conv2d(16, 16, 1, stride=2)
        self.last = nn.Conv2d(16, 14, 3, stride=2, padding=1)
        self.head = nn.Conv2d(14, 4, 1)

    def forward(self, x):
        x = self.stem(x).relu()
        x = (self.one(x) + self.two(x)).relu()
        return self.head(self.last(x).relu())


def delta_network(design=None, **choices):
    torch.manual_seed(0)
    design = design or dd.LinearStudent(gamma=4)
    network = dd.convert(Residual().eval(), design, where=dd.all_convolutions)
    for name, block in delta_blocks(network).items():
        block.decide(choices.get(name, "compressed"))
    return network


@pytest.fixture(scope="module")
def network():
    return delta_network()


@pytest.fixture(scope="module")
def made(network, tmp_path_factory):
    """A function that writes a network as a runner whose maps move."""

    def make(of=None, *, motion=ALL, **options):
        folder = tmp_path_factory.mktemp("runner") / "runner"
        given = {"example": torch.from_numpy(FRAMES[0]), "pictures": PICTURES, "period": 4, "motion": motion}
        dd.export(of or network, folder, **given | options)
        return folder

    return make


@pytest.fixture(scope="module")
def folder(made):
    return made()


def tensor(frame):
    return torch.from_numpy(frame).permute(0, 3, 1, 2)


class AsItIs:
    def predict(self, output, *, network):
        return output


def eager(network, frames, *, period=4, streams=1, **options):
    predictor = build("moved_stream", network, AsItIs(), options=options)
    predictor.begin(StreamInfo(streams, SIZE, schedule=FixedPeriod(period)))
    return [predictor.answer(FrameBatch(tensor(frame))).detach().numpy() for frame in frames]


def require_equal(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        assert np.abs(one - other).max() < 1e-4 * np.abs(other).max()


def differs(found, wanted):
    return max(np.abs(a - b).max() for a, b in zip(found, wanted, strict=True)) > 1e-2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_runner_says_what_the_eager_moved_stream_says_frame_by_frame(folder, network, engine):
    runner = dd.Runner(folder, engine=engine, threads=1)
    found = [runner(frame) for frame in FRAMES]
    require_equal(found, eager(network, FRAMES))
    at_rest = dd.Stream(network, period=4)
    unmoved = [at_rest(FrameBatch(tensor(frame)).normalised).numpy() for frame in FRAMES]
    assert differs(found, unmoved)  # it did move something


@pytest.mark.parametrize("engine", ENGINES)
def test_key_frames_come_in_any_order_and_nothing_is_left_of_those_before(folder, network, engine):
    runner = dd.Runner(folder, engine=engine, threads=1)
    order = [5, 1, 7]
    for frame in FRAMES[:3]:
        runner(frame)
    runner.reset()
    found = [runner(FRAMES[n]) for n in order]
    require_equal(found, eager(network, [FRAMES[n] for n in order]))
    runner.refresh()
    found = [runner(FRAMES[n]) for n in (2, 0)]
    require_equal(found, eager(network, [FRAMES[n] for n in (2, 0)]))


@pytest.mark.parametrize("engine", ENGINES)
def test_where_motion_explains_nothing_maps_lie_as_the_key_frame_left_them(folder, network, engine):
    runner = dd.Runner(folder, engine=engine, threads=1)
    still = [FRAMES[0], FRAMES[3], FRAMES[0], FRAMES[0]]  # moved, then back where the key frame was
    found = [runner(frame) for frame in still]
    require_equal(found, eager(network, still))
    assert np.array_equal(found[2], found[3])
    assert np.allclose(found[0], found[2], atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_motion_that_leaves_the_picture_reads_its_border(folder, network, engine):
    session = dd.Runner(folder, engine=engine, threads=1).session
    _, maps = session.key(FRAMES[0])
    before = session.delta(FRAMES[0], maps)[0]
    (beyond,) = everything_moves(1, *SIZE)
    far = CellMotion(beyond.flow * 10)  # every place of every map reads the lower right one
    found = session.delta(FRAMES[0], maps, (far,))[0]
    assert differs([found], [before])
    assert np.array_equal(session.delta(FRAMES[0], maps)[0], before)  # what was moved has been put back
    with maps_moved(network):
        stream = dd.Stream(network, period=9)
        first = FrameBatch(tensor(FRAMES[0])).normalised
        stream(first)
        flow = torch.from_numpy(far.flow).permute(2, 0, 1)[None]
        require_equal([found], [stream(first, motion=flow).numpy()])


def test_an_error_in_the_middle_leaves_the_maps_as_they_were():
    memory = np.arange(12, dtype=np.float32).reshape(1, 1, 12, 1)
    before = memory.copy()
    with suppress(KeyError), moved([Lying(memory, 3, 4)], everything_moves(1, 3, 4)):
        assert not np.array_equal(memory, before)
        raise KeyError
    assert np.array_equal(memory, before)


def test_maps_in_bf16_move_as_their_rounded_values_by_hand():
    bits = (np.array([1.0, 2.0, 3.0, 5.0], np.float32).view(np.uint32) >> 16).astype(np.uint16)
    memory = bits.reshape(1, 1, 4, 1)
    flow = everything_moves(1, 1, 4)[0].flow * 0
    flow[0, :, 0] = [0, 0, 0, -0.5]  # between 3 and 5
    with moved([Lying(memory, 1, 4)], (CellMotion(flow),)):
        values = (memory.astype(np.uint32) << 16).view(np.float32).ravel()
        assert values.tolist() == [1, 2, 3, 4]
    assert memory.ravel().tolist() == bits.tolist()


def test_in_bf16_moved_maps_are_near_those_in_full(folder, network):
    description = read_description(folder)
    if "openvino" not in engines_for(graphs_in(folder, description), precision="bf16")[0]:
        with pytest.raises(ValueError, match="no bf16"):
            dd.Runner(folder, engine="openvino", precision="bf16")
        return
    runner = dd.Runner(folder, engine="openvino", precision="bf16", threads=1)
    found, wanted = [runner(frame) for frame in FRAMES[:4]], eager(network, FRAMES[:4])
    for one, other in zip(found, wanted, strict=True):
        assert np.abs(one - other).max() < 0.05 * np.abs(other).max()


def test_streams_move_their_own_maps(folder, network):
    runner = dd.Runner(folder, engine="onnxruntime", threads=1)
    streams = dd.Streams(runner.another)
    ways = {"forward": FRAMES[:4], "backward": FRAMES[7:3:-1]}
    found = {name: [] for name in ways}
    for n in range(4):
        for name, answer in streams({name: frames[n] for name, frames in ways.items()}).items():
            found[name].append(answer)
    for name, frames in ways.items():
        require_equal(found[name], eager(network, frames))


@pytest.mark.parametrize("engine", ENGINES)
def test_frames_side_by_side_have_motion_of_their_own(made, network, engine):
    runner = dd.Runner(made(any_batch=True), engine=engine, threads=1)
    pairs = [np.concatenate(pair) for pair in zip(FRAMES[:4], FRAMES[7:3:-1], strict=True)]
    require_equal([runner(pair) for pair in pairs], eager(network, pairs, streams=2))
    runner.reset()
    require_equal([runner(frame) for frame in FRAMES[:3]], eager(network, FRAMES[:3]))


def test_what_moves_by_less_than_the_least_stays_in_runner_and_stream_alike(made, network):
    runner = dd.Runner(made(motion=MapMotion(least=0.8)), engine="onnxruntime", threads=1)
    slow = [np.ascontiguousarray(frame)[None] for frame in drifting(4, SIZE)]
    found = [runner(frame) for frame in slow]
    require_equal(found, eager(network, slow, least=0.8))
    everything = eager(network, slow)
    assert np.abs(found[1] - everything[1]).max() > 1e-3 * np.abs(everything[1]).max()
    with pytest.raises(ValueError, match="least 1 is a share of a place; expected 0 or more, below 1"):
        build("moved_stream", network, AsItIs(), options={"least": 1})


def test_maps_that_are_too_coarse_stay_and_the_folder_names_those_that_move(made, network, folder):
    motion = MapMotion(coarsest=2, flow=FlowForm(preset="medium", side=64))
    coarse = made(motion=motion)
    said = json.loads((coarse / "runner.json").read_text())["motion"]
    assert said["flow"] == {"preset": "medium", "side": 64, "chained": False}
    assert (said["coarsest"], said["least"]) == (2, 0)
    assert [name.partition(".")[0] for name in said["maps"]] == ["stem", "two"]  # two stands for one as well
    everything = json.loads((folder / "runner.json").read_text())["motion"]["maps"]
    assert [name.partition(".")[0] for name in everything] == ["head", "last", "stem", "two"]
    runner = dd.Runner(coarse, engine="onnxruntime", threads=1)
    found = [runner(frame) for frame in FRAMES[:4]]
    require_equal(found, eager(network, FRAMES[:4], preset="medium", longest=64, coarsest=2))


def test_a_map_that_moves_is_not_joined_with_one_that_stays(made):
    mixed = delta_network()
    delta_blocks(mixed)["one"].rule = MovedDeltaRule(coarsest=1)
    runner = dd.Runner(made(mixed), engine="onnxruntime", threads=1)
    assert {"one.c_0", "two.c_0"} <= {form.name for form in runner.description.maps}
    assert "one.c_0" not in runner.description.motion.maps
    require_equal([runner(frame) for frame in FRAMES[:4]], eager(mixed, FRAMES[:4]))


def test_what_students_without_factors_keep_stays(made):
    mixed = delta_network(two="uncompressed")
    with torch.no_grad():
        delta_blocks(mixed)["two"].uncompressed.weight.add_(0.1)  # as training leaves it: with a map
    runner = dd.Runner(made(mixed), engine="onnxruntime", threads=1)
    assert "two.c_0" not in runner.description.motion.maps
    require_equal([runner(frame) for frame in FRAMES[:4]], eager(mixed, FRAMES[:4]))


def test_blocks_that_were_made_to_move_their_maps_do(made, caplog):
    network = delta_network(MovedLinearStudent(gamma=4, coarsest=2))
    plain = delta_network()
    plain.load_state_dict(network.state_dict())
    runner = dd.Runner(made(network), engine="onnxruntime", threads=1)
    require_equal([runner(frame) for frame in FRAMES[:4]], eager(plain, FRAMES[:4], coarsest=2))
    made(network, motion=None)
    assert "stay where they are in this runner: no motion= is given" in caplog.text


def test_with_answers_moved_between_delta_frames_still_have_their_maps_moved(made, network):
    between = Between(kind="copied", every=2)
    runner = dd.Runner(made(between=between), engine="onnxruntime", threads=1)
    found = [runner(frame) for frame in FRAMES[:4]]
    wanted = eager(network, [FRAMES[0], FRAMES[2]])
    require_equal(found, [wanted[0], wanted[0], wanted[1], wanted[1]])


def test_a_decoder_and_graphs_in_8_bits_go_with_it(made):
    folder = made(calibration=[torch.from_numpy(frame) for frame in FRAMES])
    runner = dd.Runner(folder, engine="onnxruntime", precision="int8", decode=labels)
    assert [runner(frame)["label_map"].shape for frame in FRAMES[:2]] == [(12, 16)] * 2


def test_auto_counts_the_flow_and_what_moving_takes(folder, monkeypatch, caplog):
    runner = dd.Runner(folder, threads=1)
    assert set(runner.choice.delta_ms) >= set(ENGINES)
    times = {"frame": {"one": 10.0}, "key": {"one": 12.0}, "delta": {"one": 5.0}}
    asked = []

    def measured(sessions, description, *, seconds):
        asked.append(description.motion)
        return {what: dict.fromkeys(sessions, each["one"]) for what, each in times.items()}

    monkeypatch.setattr(choice, "measured", measured)
    monkeypatch.setattr(choice, "_flow_ms", lambda description: 2.0)
    found = dd.Runner(folder, threads=2).choice
    assert not found.per_frame  # (12 + 3·(5 + 2)) / 4 = 8.25 against 10
    assert "8.2 ms a frame at period 4" in found.reason
    monkeypatch.setattr(choice, "_flow_ms", lambda description: 5.0)
    runner = dd.Runner(folder, threads=2)
    assert runner.choice.per_frame  # (12 + 3·10) / 4 = 10.5
    assert "every frame is computed in full: delta frames take 10.5 ms" in runner.choice.reason
    require_equal([runner(FRAMES[1])], [runner.session.frame(FRAMES[1])[0]])
    assert len(asked) == 1  # the flow is no part of what is remembered
    monkeypatch.undo()
    session = RecordingSession()
    choice.measured({"one": session}, read_description(folder), seconds=0.0)
    assert session.moved == {True}


class RecordingSession:
    def __init__(self):
        self.moved = set()

    def frame(self, frame):
        return []

    def key(self, frame, *, into=None):
        return [], ()

    def delta(self, frame, maps, motions=()):
        cells = motions[0].at(12, 16)
        self.moved.add(len(cells.places) == 12 * 16)
        return []


def test_times_of_moved_maps_are_not_those_of_the_same_graphs_at_rest(folder, made, monkeypatch):
    asked = []

    def measured(sessions, description, *, seconds):
        asked.append(description.motion)
        return {what: dict.fromkeys(sessions, 1.0) for what in ("frame", "key", "delta")}

    monkeypatch.setattr(choice, "measured", measured)
    content = json.loads((folder / "runner.json").read_text())
    at_rest = made(motion=None)
    for graph in folder.glob("*.onnx"):
        (at_rest / graph.name).write_bytes(graph.read_bytes())
    del content["motion"]
    (at_rest / "runner.json").write_text(json.dumps(content))
    for each in (folder, at_rest, folder):
        dd.Runner(each, threads=1)
    assert [motion is None for motion in asked] == [False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": ["nothing"]}, "motion: 'nothing' is no map; there are "),
        ({"maps": ["stem.c_0", "stem.c_0"]}, "motion: a map is named twice"),
        ({"maps": []}, "motion.maps: List should have at least 1 item"),
        ({"flow": {"preset": "fast", "side": 320, "chained": True}}, "chained is false"),
        ({"flow": {"preset": "slow"}}, "motion.flow.preset: Input should be 'ultrafast'"),
        ({"least": 1}, "motion.least: Input should be less than 1"),
        ({"coarsest": 0}, "motion.coarsest: Input should be greater than 0"),
        ({"gate": 1}, "motion.gate: Extra inputs are not permitted"),
    ],
)
def test_a_fault_of_the_motion_is_named_with_its_place(folder, tmp_path, change, message):
    content = json.loads((folder / "runner.json").read_text())
    content["motion"] |= change
    (tmp_path / "runner.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_description(tmp_path, whole=False)


def test_maps_of_other_forms_cannot_be_moved(folder, tmp_path):
    content = json.loads((folder / "runner.json").read_text())
    for changed, message in (
        ({"shape": [1, 16, 48]}, r"of float32 and shape \[1, 16, 48\] cannot be moved; expected float32"),
        ({"dtype": "float16"}, "of float16 and shape"),
        ({"shape": [2, 16, 48, 64]}, "cannot be moved"),
    ):
        maps = [each | changed if each["name"] == "stem.c_0" else each for each in content["maps"]]
        (tmp_path / "runner.json").write_text(json.dumps({**content, "maps": maps}))
        with pytest.raises(ValueError, match=message):
            read_description(tmp_path, whole=False)
    (tmp_path / "runner.json").write_text(json.dumps({**content, "pictures": None}))
    with pytest.raises(ValueError, match="maps are moved along with pictures, and the frames here are none"):
        read_description(tmp_path, whole=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pictures": None}, "motion is found in pictures: give pictures="),
        ({"packages": True}, "packages leave their maps where they are"),
        ({"between": Between(kind="copied")}, "motion moves maps before delta frames, and between= has none"),
        ({"motion": MapMotion(coarsest=0.5)}, "no map is fine enough to be moved where coarsest is 0.5"),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_written(tmp_path, network, options, message):
    is_pictures = options.get("pictures", PICTURES) is not None
    example = torch.from_numpy(FRAMES[0]) if is_pictures else torch.rand(1, 3, *SIZE)
    options = {"pictures": PICTURES, "motion": MapMotion(), **options}
    with pytest.raises(ValueError, match=message):
        dd.export(network, tmp_path / "runner", example=example, **options)
    assert not list(tmp_path.iterdir())


def test_a_network_that_keeps_nothing_to_move_is_refused(tmp_path):
    features = dd.convert(Residual().eval(), dd.LinearStudent(gamma=4), predicts="feature")
    with pytest.raises(ValueError, match="the network has none that is compressed and predicts changes"):
        dd.export(
            features, tmp_path / "runner", example=torch.from_numpy(FRAMES[0]), pictures=PICTURES,
            motion=MapMotion(),
        )  # fmt: skip


def test_engines_that_leave_maps_where_they_are_say_so(folder):
    graphs = graphs_in(folder, read_description(folder))
    can, cannot = engines_for(replace(graphs, functions={"frame": None}, packages={"frame": folder}))
    assert set(can) == set(ENGINES)
    assert all("leaves maps where they are" in cannot[name] for name in ("eager", "compile", "package"))
    assert "on the processor, not on cuda" in engines_for(graphs, device="cuda")[1]["onnxruntime"]


def test_without_opencv_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    for name in ("runtime.key_motion", "motion.since_key", "motion.dis", "motion.moved"):
        monkeypatch.delitem(sys.modules, f"deltadistill.{name}", raising=False)
    with pytest.raises(ValueError, match="maps are moved along with the picture by OpenCV, which is not"):
        dd.Runner(folder, engine="onnxruntime")


def test_it_runs_without_torch(folder, network, tmp_path):
    np.save(tmp_path / "frames.npy", FRAMES[:2])
    script = (
        "import sys\nsys.modules['torch'] = None\nimport numpy as np, deltadistill as dd\n"
        f"runner = dd.Runner({str(folder)!r}, engine='onnxruntime', threads=1)\n"
        "np.save('found.npy', [runner(frame) for frame in np.load('frames.npy')])\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    require_equal(list(np.load(tmp_path / "found.npy")), eager(network, FRAMES[:2]))


def test_graphs_for_other_programs_come_with_what_moves_their_maps(folder, tmp_path):
    arguments = Namespace(
        runner=str(folder), output=str(tmp_path / "out"), format="onnx", precision="fp32", json=True
    )
    assert exported.run(arguments)["motion"]["maps"] == read_description(folder).motion.model_dump()["maps"]
