"""Consistency of predictors over clips of a scene that moves by one pixel per frame."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from deltadistill.evaluation import agreement
from deltadistill.evaluation.agreement import FlowAgreement, flow_sources
from deltadistill.evaluation.consistency import has_sequences, measure, unknown
from deltadistill.motion.optical_flow import Flow

SIZE = (16, 24)


@dataclass(frozen=True)
class Shown:
    clip: str
    index: int
    flow: object = "known"
    seconds: float | None = None


class Scene:
    """A stand-in for a frame store: a bright right half that moves right by one pixel per frame."""

    classes = ("dark", "bright")

    def image(self, frame):
        image = torch.zeros(3, *SIZE, dtype=torch.uint8)
        image[:, :, 8 + frame.index :] = 255
        return image

    def flow(self, frame):
        return torch.stack([torch.full(SIZE, -1.0), torch.zeros(SIZE)]), torch.ones(SIZE, dtype=torch.bool)


class Threshold:
    """Labels bright pixels; repeats its label map between key frames."""

    uses_history = True

    def begin(self, stream):
        self.schedule = stream.schedule

    def answer(self, frame):
        is_key = self.schedule.is_due(frame.pictures)
        self.schedule.note(frame.pictures, is_key=is_key)
        if is_key:
            self.held = (frame.normalised[:, 0] > 0).to(torch.uint8)
        return self.held


def clips(**lengths):
    return {name: tuple(Shown(name, i) for i in range(length)) for name, length in lengths.items()}


def test_predictions_that_follow_the_scene_are_consistent_and_repeated_ones_are_not():
    scene, of = Scene(), clips(a=4, b=4, c=3)
    sources = {"exact": lambda before, now: Flow(*scene.flow(now))}
    scores = measure({1: Threshold(), 2: Threshold()}, scene, of, FlowAgreement(2, sources), batch=2)
    assert scores[1]["exact"]["all"]["consistency"] == 100
    assert scores[1]["exact"]["all"]["coverage"] == pytest.approx(100 * 23 / 24)
    assert scores[2]["exact"]["all"]["consistency"] < 100
    assert scores[1]["exact"]["visible"] == scores[1]["exact"]["all"]


def test_every_clip_counts_once_whatever_the_batch():
    scene, of = Scene(), clips(a=4, b=4, c=3)
    along = FlowAgreement(2, {"exact": lambda before, now: Flow(*scene.flow(now))})
    by_batch = [measure({3: Threshold()}, scene, of, along, batch=batch) for batch in (1, 5)]
    assert by_batch[0] == by_batch[1]


@pytest.mark.parametrize(("clip", "index"), [("a", 1), ("a", 2), ("b", 1), ("b", 3)])
def test_exact_flow_is_used_only_where_every_later_frame_has_it(clip, index):
    full = {name: (Shown(name, 0, flow=None), *of[1:]) for name, of in clips(a=3, b=4).items()}
    assert list(flow_sources(Scene(), full, dis_preset="fast")) == ["exact", "dis"]
    frames = list(full[clip])
    frames[index] = Shown(clip, index, flow=None)
    assert list(flow_sources(Scene(), full | {clip: tuple(frames)}, dis_preset="fast")) == ["dis"]


def test_flows_are_of_the_frame_now_and_estimated_from_the_one_before(monkeypatch):
    estimate = lambda preset: SimpleNamespace(between=lambda *pictures: (preset, *pictures))  # noqa: E731
    monkeypatch.setattr(agreement, "DisFlow", estimate)
    store = SimpleNamespace(
        flow=lambda frame: (f"flow of {frame.index}", "visible"), image=lambda frame: f"picture {frame.index}"
    )
    sources = flow_sources(store, clips(a=5), dis_preset="medium")
    assert sources["exact"](Shown("a", 2), Shown("a", 4)) == Flow("flow of 4", "visible")
    assert sources["dis"](Shown("a", 2), Shown("a", 4)) == ("medium", "picture 2", "picture 4")


def test_each_pair_is_warped_along_its_own_flow_with_its_own_mask():
    """Three streams that move by 0, 1 and 2 pixels, each with another column hidden."""

    def source(before, now):
        visible = torch.ones(4, 6, dtype=torch.bool)
        visible[:, 3 + before.index] = False
        return Flow(torch.stack([torch.full((4, 6), -float(before.index)), torch.zeros(4, 6)]), visible)

    along = FlowAgreement(6, {"own": source})
    before = torch.arange(6, dtype=torch.uint8).expand(3, 4, 6)
    now = torch.stack([torch.roll(before[n], n, 1) for n in range(3)])
    pairs = [(Shown("a", n), Shown("a", n + 1)) for n in range(3)]
    coverage = {}
    for way, count in along.between(pairs):
        meter = along.meter()
        count(meter, before, now)
        assert meter.percent() == 100
        coverage[way] = meter.coverage_percent()
    assert tuple(coverage) == along.ways == (("own", "all"), ("own", "visible"))
    # of 18 columns, 1 and 2 come from outside; a further one of each stream is hidden
    assert list(coverage.values()) == pytest.approx([100 * 15 / 18, 100 * 12 / 18])


def test_predictions_are_compared_by_their_form_with_the_settings_given():
    store = SimpleNamespace(classes=("a", "b", "c"), image=None, flow=None)
    options = {"dis_preset": "fast", "min_score": 0.3}
    maps = agreement.build(store, clips(a=3), SimpleNamespace(form="label_maps"), **options)
    assert maps.ways == tuple((flow, mask) for flow in ("exact", "dis") for mask in ("all", "visible"))
    assert maps.meter().matrix.counts.shape == (3, 3)
    boxes = agreement.build(store, clips(a=3), SimpleNamespace(form="detections"), **options)
    assert (boxes.ways, boxes.meter().min_score) == ((("tracks", "all"),), 0.3)
    classes = agreement.build(store, clips(a=3), SimpleNamespace(form="rankings"), **options)
    assert classes.ways == (("classes", "all"),)
    own = SimpleNamespace(form="own", agreement=lambda store: ("own", store))
    assert agreement.build(store, clips(a=3), own, **options) == ("own", store)


def test_estimated_flow_masks_and_covers_the_scene():
    scene, of = Scene(), clips(a=3)
    along = FlowAgreement(2, {"dis": flow_sources(scene, of, dis_preset="medium")["dis"]})
    score = measure({1: Threshold()}, scene, of, along, batch=1)[1]["dis"]
    assert score["visible"]["coverage"] <= score["all"]["coverage"] <= 100
    assert score["all"]["consistency"] > 80


def test_clips_of_one_frame_have_no_consistency():
    with pytest.raises(ValueError, match="no clip has two frames"):
        measure({1: Threshold()}, Scene(), clips(a=1), FlowAgreement(2, {}), batch=1)


def test_of_stills_nothing_is_known_in_any_way():
    assert (has_sequences(clips(a=1)), has_sequences(clips(a=1, b=2))) == (False, True)
    nothing = {"consistency": None, "coverage": None}
    ways = FlowAgreement(2, {"dis": None})
    at_any_length = {"dis": {"all": nothing, "visible": nothing}}
    assert unknown([1, 3], ways) == {1: at_any_length, 3: at_any_length}


def test_clips_of_two_frames_have_one_pair():
    found = measure({1: Threshold()}, Scene(), clips(a=1, b=2), FlowAgreement(2, {}), batch=1)
    assert list(found) == [1]
