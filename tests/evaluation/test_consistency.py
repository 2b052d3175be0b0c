"""Consistency of predictors over clips of a scene that moves by one pixel per frame."""

from dataclasses import dataclass

import pytest
import torch

from deltadistill.evaluation.agreement import FlowAgreement, flow_sources
from deltadistill.evaluation.consistency import measure
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


def test_exact_flow_is_used_only_where_every_later_frame_has_it():
    full = clips(a=3)
    assert set(flow_sources(Scene(), full, dis_preset="fast")) == {"exact", "dis"}
    partly = {"a": (full["a"][0], Shown("a", 1), Shown("a", 2, flow=None))}
    assert set(flow_sources(Scene(), partly, dis_preset="fast")) == {"dis"}


def test_estimated_flow_masks_and_covers_the_scene():
    scene, of = Scene(), clips(a=3)
    along = FlowAgreement(2, {"dis": flow_sources(scene, of, dis_preset="medium")["dis"]})
    score = measure({1: Threshold()}, scene, of, along, batch=1)[1]["dis"]
    assert score["visible"]["coverage"] <= score["all"]["coverage"] <= 100
    assert score["all"]["consistency"] > 80


def test_clips_of_one_frame_have_no_consistency():
    with pytest.raises(ValueError, match="no clip has two frames"):
        measure({1: Threshold()}, Scene(), clips(a=1), FlowAgreement(2, {}), batch=1)


def test_clips_of_two_frames_have_one_pair():
    found = measure({1: Threshold()}, Scene(), clips(a=1, b=2), FlowAgreement(2, {}), batch=1)
    assert list(found) == [1]
