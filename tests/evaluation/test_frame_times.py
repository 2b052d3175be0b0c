"""Times of frames, from samples that are written down: which frames are timed, and what is made of them."""

import numpy as np
import pytest
from data.small_dataset import make_manifest
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.latency import Timings
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation import timed_variants
from deltadistill.evaluation.frame_times import What, describe, fastest, sources, turn
from deltadistill.evaluation.timed_variants import (
    Condition,
    Variant,
    conditions_of,
    graphs_of,
    macs_bounds,
    time_variants,
)
from deltadistill.predictors.predictor import Predictor, build

CALM = {"runs": 1, "warmup": 0, "seconds": 60.0}


@pytest.fixture
def store(tmp_path):
    return FrameStore(make_manifest(tmp_path, clips={"train": 1, "tune": 1, "test": 2}), cache_bytes=0)


class Task:
    """Predicts the likeliest class of a frame's corner, and says what it was asked for."""

    def __init__(self):
        self.asked = 0

    def predict(self, output, *, network):
        self.asked += 1
        return output[:, :, 0, 0].argmax(1)


class Said(Predictor):
    """Writes down which frames it sees, and which of them are key frames."""

    def __init__(self, network, task):
        self.seen = []

    def begin(self, stream):
        self.schedule = stream.schedule
        self.streams = stream.streams

    def answer(self, frame):
        is_key = self.schedule.is_due(frame.pictures)
        self.schedule.note(frame.pictures, is_key=is_key)
        self.seen.append((int(frame.pictures[0, 1, 0, 0]), is_key))

    def costs(self, networks):
        return networks["network"]


def test_a_stream_goes_on_with_a_key_frame_and_two_others_in_every_round(store):
    said = Said(None, None)
    calls = turn(("eager", "own", "network"), said, sources(store, streams=3)["network"])
    for _, call in [*calls, *calls]:
        call()
    assert [name.kind for name, _ in calls] == ["key", "delta", "delta"]
    assert said.seen == [(0, True), (1, False), (2, False)] * 2  # green is the number of the frame
    assert said.streams == 3


def test_a_stream_is_timed_per_clip_and_few_clips_are_taken_again(store):
    (first, *_) = sources(store, streams=3)["network"]
    assert first().pictures[:, 0, 0, 0].tolist() == [20, 30, 20]  # red is ten times the number of the clip


def test_a_clip_that_is_shorter_than_the_period_begins_again(tmp_path):
    short = FrameStore(make_manifest(tmp_path, frames=2), cache_bytes=0)
    frames = sources(short, streams=1)["end_to_end"]
    assert [int(frame().pictures[0, 1, 0, 0]) for frame in frames] == [0, 1, 0]


def test_frames_lie_ready_for_the_network_alone_and_are_read_again_end_to_end(store):
    come = sources(store, streams=1)
    assert come["network"][0]() is come["network"][0]()
    assert "normalised" in vars(come["network"][0]())
    assert come["end_to_end"][0]() is not come["end_to_end"][0]()
    assert "normalised" not in vars(come["end_to_end"][0]())


def test_of_a_variant_to_which_all_frames_are_alike_one_is_timed(store, teacher):
    calls = turn(
        ("eager", "small", "network"),
        build("per_frame", teacher, Task()),
        sources(store, streams=1)["network"],
    )
    assert [name for name, _ in calls] == [What("eager", "small", "network", "frame")]


def written(**samples):
    """Timings of rounds, by engine_variant_part_kind."""
    return Timings(
        {What(*_split(name)): np.array(values, float).reshape(2, -1) for name, values in samples.items()}
    )


def _split(name):
    engine, variant, part, kind = name.split("__")
    return engine, variant, part, kind


TIMES = {
    "eager__teacher__network__frame": [10, 20],
    "fast__teacher__network__frame": [5, 10],
    "eager__teacher__end_to_end__frame": [12, 24],
    "fast__teacher__end_to_end__frame": [13, 26],
    "eager__delta__network__key": [12, 24],
    "eager__delta__network__delta": [3, 5, 6, 10],
    "eager__delta__end_to_end__key": [14, 28],
    "eager__delta__end_to_end__delta": [5, 5, 10, 10],
}


def test_speedups_are_over_the_teacher_in_the_engine_that_is_fastest_for_it():
    found = describe(written(**TIMES), [1, 3], {("eager", "delta"): 96})
    assert found["baselines"] == {"network": "fast", "end_to_end": "eager"}
    delta = found["engines"]["eager"]["delta"]
    # T = 3: (12 + 2 · 4) / 3 in the first round, twice as long in the second
    assert delta["network"]["amortised_ms"] == {1: 18, 3: pytest.approx((20 / 3 + 40 / 3) / 2)}
    assert delta["network"]["speedup"] == {1: pytest.approx(5 / 12), 3: pytest.approx(5 / (20 / 3))}
    assert delta["end_to_end"]["speedup"][3] == pytest.approx(12 / (24 / 3))
    assert delta["network"]["delta_ms"] == {"median": 5.5, "p95": pytest.approx(9.4)}  # of 3, 5, 6, 10
    assert delta["state_bytes"] == 96
    teachers = {name: of["teacher"]["network"]["speedup"] for name, of in found["engines"].items()}
    assert teachers == {"eager": {1: 0.5}, "fast": {1: 1}}


def test_the_fastest_engine_of_a_stream_is_told_by_its_key_frame():
    timings = written(
        a__delta__network__key=[3, 3], a__delta__network__delta=[9, 9], b__delta__network__key=[4, 4]
    )
    assert fastest(timings, "delta", "network") == "a"


def timed_in_eager(variants, task, store, condition, *, lengths):
    with graphs_of(variants) as graphs:
        return time_variants(variants, ["eager"], task, store, condition, graphs=graphs, lengths=lengths)


def test_every_variant_is_timed_alone_and_end_to_end_and_what_a_stream_keeps_is_told(store, teacher, delta):
    task = Task()
    variants = {
        "teacher": Variant("per_frame", teacher),
        "delta": Variant("stream", delta),
        "copy": Variant("copy", teacher),
    }
    timed = timed_in_eager(variants, task, store, Condition(2, 1, **CALM), lengths=[1, 3])
    assert timed.left_out == []
    entry = timed.entry
    assert (entry["batch"], entry["threads"], entry["precision"], entry["rounds"]) == (2, 1, "fp32", 1)
    found = entry["engines"]["eager"]
    of_streams = {"key_ms", "delta_ms", "amortised_ms", "speedup"}
    assert {name: set(of["network"]) for name, of in found.items()} == {
        "teacher": {"frame_ms", "speedup"},
        "delta": of_streams,
        "copy": of_streams,
    }
    # trial and one round: a frame of the teacher, three of the stream, the key frame of the copy
    assert task.asked == 2 * (1 + 3 + 1)
    # input and output of the converted layer, for two streams
    assert found["delta"]["state_bytes"] == 2 * 16 * 24 * 2 * 8 * 4
    assert "state_bytes" not in found["copy"]


def test_what_cannot_be_timed_is_told_with_its_reason_and_the_others_are_timed(store, teacher):
    def fails(frames):
        raise RuntimeError("no such kernel\nmore")

    broken = nn.Sequential(teacher)
    broken.forward = fails
    variants = {"teacher": Variant("per_frame", teacher), "broken": Variant("per_frame", broken)}
    timed = timed_in_eager(variants, Task(), store, Condition(1, 1, **CALM), lengths=[1])
    assert timed.left_out == [
        {"engine": "eager", "variant": "broken", "reason": "RuntimeError: no such kernel"}
    ]
    assert set(timed.entry["engines"]["eager"]) == {"teacher"}
    nothing = timed_in_eager(
        {"teacher": variants["broken"]}, Task(), store, Condition(1, 1, **CALM), lengths=[1]
    )
    assert nothing.entry is None


def test_a_measurement_is_made_as_the_condition_says(store, teacher, delta, monkeypatch):
    asked = []

    def measure(turns, **settings):
        kinds = [[name for name, _ in turn] for turn in turns]
        asked.append((kinds, settings))
        names = [name for names in kinds for name in names]
        return Timings({name: np.full((5, 1), 2.0) for name in names})

    monkeypatch.setattr(timed_variants, "measure_turns", measure)
    monkeypatch.setattr(timed_variants.torch, "set_num_threads", lambda count: asked.append(count))
    variants = {"teacher": Variant("stream", teacher), "delta": Variant("stream", delta)}
    condition = Condition(3, 2, runs=5, warmup=4, seconds=7.0)
    timed = timed_in_eager(variants, Task(), store, condition, lengths=iter([1, 4]))
    threads, (kinds, settings) = asked
    assert threads == 2
    assert (settings["runs"], settings["warmup"], settings["seconds"]) == (5, 4, 7.0)
    own = [
        [What("eager", name, part, kind) for kind in kinds]
        for name, kinds in {"teacher": ["frame"], "delta": ["key", "delta", "delta"]}.items()
        for part in ("network", "end_to_end")
    ]
    assert kinds == own  # the teacher runs on every frame, whatever it would be otherwise
    assert (timed.entry["batch"], timed.entry["rounds"]) == (3, 5)
    delta_entry = timed.entry["engines"]["eager"]["delta"]["end_to_end"]
    assert delta_entry["speedup"] == {1: 1, 4: 1}


def test_every_combination_is_measured_once_the_first_of_each_first(monkeypatch):
    monkeypatch.setattr(timed_variants, "usable_cores", lambda: 4)
    found = conditions_of([1, 8], [1, "all", 4], ["fp32", "bf16"], **CALM)
    fp32 = [(1, 1), (8, 1), (1, 4), (8, 4)]
    assert [(each.batch, each.threads) for each in found] == fp32 * 2
    assert [each.precision for each in found] == ["fp32"] * 4 + ["bf16"] * 4


def test_macs_bound_what_could_be_gained(teacher, delta):
    # 384 pixels: the teacher's convolutions are 27·8, 72·8 and 8·8 per pixel; the student's 8·3·2 and 2·3·8
    key, other = 216 + 576 + 64, 216 + 96 + 64
    variants = {"teacher": Variant("per_frame", teacher), "delta": Variant("stream", delta)}
    found = macs_bounds(variants, [1, 3], size=(3, 16, 24))
    assert found["teacher"] == {1: 1, 3: 1}
    assert found["delta"] == {1: 1, 3: pytest.approx(3 * key / (key + 2 * other))}


class Beside(Predictor):
    """Runs a second network on key frames, and nothing between."""

    def __init__(self, network, task, *, helper):
        self.helper = helper

    def begin(self, stream):
        self.schedule = stream.schedule

    def answer(self, frame):
        return self.helper(frame.normalised)

    def costs(self, networks):
        return FrameCosts(networks["helper"].key, Cost(macs=0))


class Free(Beside):
    """Runs none at all."""

    def costs(self, networks):
        return FrameCosts(Cost(macs=0), Cost(macs=0))


def test_macs_bound_a_variant_of_several_networks_by_all_of_them_and_nothing_bounds_one_without(teacher):
    helper = {"helper": nn.Conv2d(3, 4, 1)}  # 12 MACs a pixel; the teacher has 856
    variants = {
        "teacher": Variant("per_frame", teacher),
        "beside": Variant(f"{__name__}:Beside", teacher, networks=helper),
        "free": Variant(f"{__name__}:Free", teacher, networks=helper),
    }
    found = macs_bounds(variants, iter([1, 2]), size=(3, 16, 24))
    assert found["beside"] == {1: pytest.approx(856 / 12), 2: pytest.approx(2 * 856 / 12)}
    assert found["free"] == {}


def test_a_variant_of_several_networks_is_timed_with_each_in_its_place(store, teacher):
    variants = {
        "teacher": Variant("per_frame", teacher),
        "beside": Variant(f"{__name__}:Beside", teacher, networks={"helper": nn.Conv2d(3, 4, 1)}),
    }
    with graphs_of(variants) as graphs:
        assert [graph.network for graph in graphs.values()] == [
            teacher,
            variants["beside"].networks["helper"],
        ]
        timed = time_variants(
            variants, ["eager"], Task(), store, Condition(1, 1, **CALM), graphs=graphs, lengths=[1]
        )
    assert timed.left_out == []
    assert set(timed.entry["engines"]["eager"]["beside"]["network"]) > {"key_ms", "delta_ms"}
