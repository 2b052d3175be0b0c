"""Variants in engines: they answer as they do in PyTorch, and what an engine cannot do is said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from data.small_dataset import make_manifest
from preparation.small_videos import drifting

import deltadistill as dd
from deltadistill.blocks.moved_rule import MovedDeltaRule
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.blocks.stream import Stream
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation import in_engines, quickest_engines
from deltadistill.evaluation.frames import stream_of
from deltadistill.evaluation.in_engines import EngineNetwork, Exported
from deltadistill.evaluation.quickest_engines import engines_to_time, fastest_of
from deltadistill.evaluation.timed_variants import Condition, Timed, Variant, graphs_of, time_variants
from deltadistill.exporting.moved_maps import movable_maps
from deltadistill.predictors import predictor as predictors
from deltadistill.predictors.frame_batch import FrameBatch
from deltadistill.predictors.per_frame import PerFrame

ENGINE = "onnxruntime"
CALM = {"runs": 1, "warmup": 0, "seconds": 60.0}


@pytest.fixture
def delta(delta):
    return dd.deploy(delta)


@pytest.fixture
def in_engine():
    """A function from a network to one that the engine runs."""
    made = []

    def of(network):
        made.append(Exported(network).__enter__())
        return EngineNetwork(made[-1], ENGINE, threads=1, precision="fp32")

    yield of
    for exported in made:
        exported.__exit__()


class Logits:
    """A task whose prediction is the output; it remembers the network that it is asked with."""

    def predict(self, output, *, network):
        assert not torch.is_grad_enabled()
        self.network = network
        return output


def video(frames, *, streams=2):
    draws = torch.Generator().manual_seed(0)
    return [
        FrameBatch(torch.randint(256, (streams, 3, 16, 24), dtype=torch.uint8, generator=draws))
        for _ in range(frames)
    ]


@pytest.mark.parametrize("predict", ["per_frame", "copy", "stream"])
def test_a_predictor_answers_in_an_engine_as_in_pytorch(predict, teacher, delta, in_engine):
    network = delta if predict == "stream" else teacher
    task, frames = Logits(), video(5)
    both = [predictors.build(predict, network, Logits()), in_engines.build(predict, in_engine(network), task)]
    for predictor in both:
        predictor.begin(stream_of(frames[0], FixedPeriod(3)))
    for frame in frames:
        expected, found = (predictor.answer(frame) for predictor in both)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert both[0].is_key_frame == both[1].is_key_frame
    assert task.network is network  # a detection network knows its anchors


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("options", [{}, {"preset": "medium", "least": 0.3}])
def test_maps_that_move_do_so_in_an_engine_as_in_pytorch(engine, options, delta, in_engine):
    network = in_engine(delta)
    network = EngineNetwork(network.exported, engine, threads=1, precision="fp32")
    both = [
        predictors.build("moved_stream", delta, Logits(), options=options),
        in_engines.build("moved_stream", network, Logits(), options=options),
        predictors.build("stream", delta, Logits()),
    ]
    frames = [
        FrameBatch(torch.from_numpy(np.stack([one, other])).permute(0, 3, 1, 2))
        for one, other in zip(drifting(12, (32, 48))[::2], drifting(12, (32, 48))[::-2], strict=True)
    ]
    for predictor in both:
        predictor.begin(stream_of(frames[0], FixedPeriod(4)))
    moved = 0.0
    for frame in frames:
        expected, found, at_rest = (predictor.answer(frame) for predictor in both)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert both[0].is_key_frame == both[1].is_key_frame
        moved = max(moved, float((found - at_rest).abs().max()))
    assert moved > 1e-2


def test_what_is_no_single_map_cannot_be_moved_and_is_named(delta, in_engine):
    functions = in_engine(delta).exported.loaded(torch.rand(1, 3, 16, 24)).functions
    given = MovedDeltaRule(), torch.empty(1, 2, 16, 24)
    (name,) = functions.maps
    with pytest.raises(ValueError, match="stand for maps that move and for some that stay"):
        movable_maps(functions, {name: (name, "another")}, *given)
    odd = replace(functions, maps={name.replace("c_0", "1"): functions.maps[name]})
    with pytest.raises(ValueError, match=r"1'\] are not the one map that a linear student needs"):
        movable_maps(odd, {}, *given)


def test_a_stream_in_an_engine_keeps_one_map_in_place_of_input_and_output(delta, in_engine):
    predictor = in_engines.build("stream", in_engine(delta), Logits())
    predictor.begin(stream_of(video(1)[0], FixedPeriod(3)))
    predictor.answer(video(1)[0])
    assert predictor.state_bytes == 2 * 8 * 16 * 24 * 4  # c_0 of two streams


def test_a_predictor_of_ones_own_may_show_the_network_frames_of_other_shapes(teacher, in_engine):
    network = in_engine(teacher)
    for size in ((16, 24), (8, 12), (16, 24)):
        frames = torch.randn(1, 3, *size)
        torch.testing.assert_close(network(frames), teacher(frames), rtol=1e-4, atol=1e-5)


class Bare:
    """A predictor that derives from nothing, and so says nothing of learning."""

    def __init__(self, network, task):
        self.network, self.task = network, task

    def begin(self, stream):
        pass

    @torch.no_grad()
    def answer(self, frame):
        return self.task.predict(self.network(frame.normalised), network=self.network)


def test_a_predictor_that_says_nothing_of_learning_is_run_by_the_engine(teacher, in_engine):
    (frame,) = video(1)
    bare = in_engines.build(f"{__name__}:Bare", in_engine(teacher), Logits())
    torch.testing.assert_close(bare.answer(frame), teacher(frame.normalised), rtol=1e-4, atol=1e-5)


class Learner(PerFrame):
    learns = True


class OwnStream(PerFrame):
    """Runs the network by a stream of its own, which no engine can."""

    def __init__(self, network, task):
        self.stream = Stream(network, period=3)


@pytest.mark.parametrize(
    ("kind", "message"),
    [(Learner, "changes its network while it answers"), (OwnStream, "no converted blocks")],
)
def test_a_predictor_that_needs_the_network_itself_is_refused(kind, message, delta, in_engine):
    with pytest.raises(ValueError, match=message):
        in_engines.build(f"{__name__}:{kind.__name__}", in_engine(delta), Logits())


@pytest.mark.parametrize(
    ("predict", "options"),
    [
        ("skip_convolutions", {"threshold": 0.1}),
        ("deep_feature_flow", {"split": "2"}),
        ("moved_between", {"predict": "deep_feature_flow", "options": {"split": "2"}}),
    ],
)
def test_one_that_computes_inside_its_network_is_named_with_where_it_is_timed(
    predict, options, delta, in_engine
):
    inside = "deep_feature_flow" if predict == "moved_between" else predict
    with pytest.raises(
        ValueError, match=f"'{inside}' computes with modules inside .* in eager PyTorch alone"
    ):
        in_engines.build(predict, in_engine(delta), Logits(), options=options)


def test_a_network_is_exported_and_made_ready_once_for_every_shape(teacher, monkeypatch):
    made, ready = [], []

    class Graphs:
        def __init__(self, network, example, *, run):
            made.append((network, tuple(example.shape)))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            made.append("removed")

        def running(self, engine, **settings):
            ready.append((engine, settings))
            return SimpleNamespace(frame=lambda frames: frames.shape)

    monkeypatch.setattr(in_engines, "load", Graphs)
    with Exported(teacher) as exported:
        network = EngineNetwork(exported, "some", threads=3, precision="bf16")
        for size in (8, 6, 8, 6):
            assert network(torch.randn(2, 3, size, 4)) == (2, 3, size, 4)
        assert made == [(teacher, (2, 3, 8, 4)), (teacher, (2, 3, 6, 4))]
    assert made[2:] == ["removed"] * 2
    assert ready == [("some", {"threads": 3, "precision": "bf16"})] * 2


def test_a_network_that_cannot_be_exported_is_not_tried_again(teacher, monkeypatch):
    tried = []

    def fails(*args, **kwargs):
        tried.append(args)
        raise ValueError("the operator aten::strange has no form in ONNX")

    monkeypatch.setattr(in_engines, "load", fails)
    with Exported(teacher) as exported:
        for _ in range(3):
            with pytest.raises(ValueError, match="aten::strange"):
                exported.loaded(torch.randn(1, 3, 8, 8))
    assert len(tried) == 1


@pytest.fixture
def store(tmp_path):
    return FrameStore(make_manifest(tmp_path), cache_bytes=0)


def test_all_variants_take_turns_in_all_engines_and_what_cannot_is_left_out(store, teacher, delta):
    variants = {
        "teacher": Variant("per_frame", teacher),
        "delta": Variant("stream", delta),
        "learner": Variant(f"{__name__}:Learner", teacher),
    }
    with graphs_of(variants) as graphs:
        timed = time_variants(
            variants,
            ["eager", ENGINE],
            Logits(),
            store,
            Condition(1, 1, **CALM),
            graphs=graphs,
            lengths=[1, 3],
        )
    assert {engine: list(of) for engine, of in timed.entry["engines"].items()} == {
        "eager": ["teacher", "delta", "learner"],
        ENGINE: ["teacher", "delta"],
    }
    (missing,) = timed.left_out
    assert (missing["engine"], missing["variant"]) == (ENGINE, "learner")
    assert "which no engine sees" in missing["reason"]
    assert set(timed.entry["baselines"].values()) <= {"eager", ENGINE}
    kept = {engine: of["delta"]["state_bytes"] for engine, of in timed.entry["engines"].items()}
    assert kept["eager"] == 2 * kept[ENGINE] == 2 * 8 * 16 * 24 * 4


def test_eager_is_timed_in_one_precision(store, teacher):
    variants = {"teacher": Variant("per_frame", teacher)}
    condition = Condition(1, 1, **CALM, precision="bf16")
    with graphs_of(variants) as graphs:
        timed = time_variants(variants, ["eager"], Logits(), store, condition, graphs=graphs, lengths=[1])
    assert timed.entry is None
    assert timed.left_out[0]["reason"] == "ValueError: eager is timed in fp32, not in bf16"


def entry(**ms):
    """An engine's entry: a number for a network on every frame, three for T = 1, T = 3 and T = 10."""
    alone = {
        name: {"amortised_ms": dict(zip((1, 3, 10), times, strict=True))}
        if isinstance(times, tuple)
        else {"frame_ms": {"median": times}}
        for name, times in ms.items()
    }
    return {name: {"network": times} for name, times in alone.items()}


def test_the_engines_that_are_fastest_for_the_teacher_and_at_any_length_for_a_stream():
    engines = {
        "a": entry(teacher=5, delta=(4, 3.5, 3)),
        "b": entry(teacher=6, delta=(9, 4, 2)),
        "c": entry(teacher=7),
        "d": entry(teacher=8, delta=(1, 5, 6)),
    }
    assert fastest_of(engines) == ["a", "b"]  # at T = 1 there is no delta frame
    assert fastest_of({"a": engines["a"], "c": entry(teacher=4, delta=(8, 6, 4))}) == ["c", "a"]
    assert fastest_of({"a": engines["a"]}) == ["a"]


@pytest.fixture
def choose(store, teacher, delta, monkeypatch):
    """A function from a wanted list, and what a trial would measure, to the engines and what was tried."""

    def chosen(wanted, measured):
        tried = []

        def trial(variants, engines, *args, **kwargs):
            tried.append((list(variants), list(engines)))
            return Timed({"engines": {engine: measured[engine] for engine in engines}}, [])

        monkeypatch.setattr(quickest_engines, "time_variants", trial)
        monkeypatch.setattr(quickest_engines, "_candidates", lambda *args: list(measured))
        variants = {
            "teacher": Variant("per_frame", teacher),
            "delta": Variant("stream", delta),
            "feature": Variant("stream", delta),
        }
        condition = Condition(1, 1, **CALM)
        found = engines_to_time(wanted, variants, Logits(), store, condition, graphs={}, lengths=[1, 10])
        return found, tried

    return chosen


def test_auto_stands_for_the_fastest_in_a_trial_of_teacher_and_first_stream(choose):
    measured = {"a": entry(teacher=5, delta=(4, 4, 3)), "b": entry(teacher=6, delta=(9, 5, 4))}
    assert choose(["eager", "auto"], measured) == (["eager", "a"], [(["teacher", "delta"], ["a", "b"])])
    assert choose(["auto", "a"], measured)[0] == ["a"]


def test_a_trial_is_of_the_condition_to_come_for_its_own_rounds(store, teacher, delta, monkeypatch):
    asked = []

    def trial(variants, engines, task, store, condition, **others):
        asked.append((condition, others["lengths"]))
        return Timed(None, [])

    def engines(*, precision):
        asked.append(precision)
        return ["eager", "a", "compile", "b", "package"]

    def loaded(example):
        asked.append(tuple(example.shape))
        return SimpleNamespace(engines=engines)

    monkeypatch.setattr(quickest_engines, "time_variants", trial)
    variants = {"delta": Variant("stream", delta), "teacher": Variant("per_frame", teacher)}
    condition = Condition(3, 2, runs=50, warmup=20, seconds=90.0, precision="bf16")
    graphs = {teacher: SimpleNamespace(loaded=loaded)}
    found = engines_to_time(["auto"], variants, Logits(), store, condition, graphs=graphs, lengths=[1, 4])
    shape, precision, (trial_condition, lengths) = asked
    assert (shape, precision, lengths) == ((3, 3, 16, 24), "bf16", [1, 4])
    assert (trial_condition.batch, trial_condition.threads, trial_condition.precision) == (3, 2, "bf16")
    assert trial_condition.runs < 50
    assert found == []  # nothing could be timed in the trial


def test_named_engines_are_taken_and_one_that_is_alone_is_not_tried(choose):
    measured = {"a": entry(teacher=5), "b": entry(teacher=6)}
    assert choose(["eager", "b"], measured) == (["eager", "b"], [])
    assert choose(["eager", "auto"], {"a": entry(teacher=5)}) == (["eager", "a"], [])
    assert choose(["eager", "auto"], {}) == (["eager"], [])


def test_a_teacher_that_cannot_be_exported_leaves_an_engine_in_which_the_reason_is_told(
    store, teacher, monkeypatch
):
    def fails(*args, **kwargs):
        raise ValueError("no form in ONNX")

    monkeypatch.setattr(in_engines, "load", fails)
    variants = {"teacher": Variant("per_frame", teacher)}
    condition = Condition(1, 1, **CALM)
    with graphs_of(variants) as graphs:
        common = {"graphs": graphs, "lengths": [1]}
        engines = engines_to_time(["eager", "auto"], variants, Logits(), store, condition, **common)
        timed = time_variants(variants, engines, Logits(), store, condition, **common)
    assert len(engines) == 2
    assert timed.left_out == [
        {"engine": engines[1], "variant": "teacher", "reason": "ValueError: no form in ONNX"}
    ]
    assert timed.entry["baselines"] == {"network": "eager", "end_to_end": "eager"}
