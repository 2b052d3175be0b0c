"""Answers moved by optical flow."""

import sys

import numpy as np
import pytest
from preparation.small_videos import drifting

from deltadistill.runtime.between import Between, FlowForm
from deltadistill.runtime.filling import filler
from deltadistill.runtime.moving import Moving, can_move

SIZE = (96, 128)


def moved(answer, steps=4):
    frames = [np.ascontiguousarray(frame) for frame in drifting(steps + 1, SIZE)]
    moving = Moving()
    moving.begin(frames[0], answer)
    return moving.moved(frames[-1])


def test_boxes_move_with_the_picture():
    box = np.array([[30.0, 30.0, 60.0, 60.0]])
    found = moved({"boxes": box, "scores": np.array([0.5])})
    assert found["boxes"] == pytest.approx(box + np.array([4, 0, 4, 0]), abs=1)
    assert found["scores"] == [0.5]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_labels_move_with_the_picture(dtype):
    labels = np.zeros(SIZE, dtype)
    labels[:, 40:70] = 3
    found = moved({"label_map": labels})["label_map"]
    assert found.dtype == dtype
    wanted = np.roll(labels, 4, 1)
    assert (found == wanted)[8:-8, 16:-16].mean() > (labels == wanted)[8:-8, 16:-16].mean() + 0.04


def test_tensors_with_places_move_and_others_stay():
    places = np.zeros((1, 2, 24, 32), np.float32)
    places[..., 10:20] = 1
    found = moved({"tensors": {"map": places, "vector": np.ones((1, 4), np.float32)}}, steps=8)["tensors"]
    assert found["map"][0, 0, 12, 20:22].mean() > 0.5
    assert found["vector"].tolist() == [[1] * 4]


def test_in_a_still_picture_nothing_moves():
    box = np.array([[30.0, 30.0, 60.0, 60.0]])
    assert moved({"boxes": box}, steps=0)["boxes"].tolist() == box.tolist()


@pytest.mark.parametrize(
    ("answer", "can"),
    [
        ({"boxes": ()}, True),
        ({"map": 0}, True),
        ({"classes": ()}, False),
        ({"tensors": {"a": np.ones(3)}}, False),
        ({"tensors": {"a": np.ones((1, 1, 2, 2))}}, True),
    ],
)
def test_only_answers_with_places_can_move(answer, can):
    assert can_move(answer) == can


def test_chained_flow_follows_further_than_flow_from_the_beginning():
    frames = [np.ascontiguousarray(frame) for frame in drifting(25, SIZE)]
    box = np.array([[30.0, 30.0, 60.0, 60.0]])
    moving = Moving(FlowForm(chained=True))
    moving.begin(frames[0], {"boxes": box})
    found = [moving.moved(frame) for frame in frames[1:]]
    assert found[-1]["boxes"] == pytest.approx(box + np.array([24, 0, 24, 0]), abs=2)


def test_chained_flow_moves_maps_by_the_sum_of_the_steps():
    frames = [np.ascontiguousarray(frame) for frame in drifting(9, SIZE)]
    labels = np.zeros(SIZE, np.int32)
    labels[:, 40:70] = 3
    moving = Moving(FlowForm(chained=True))
    moving.begin(frames[0], {"label_map": labels})
    found = [moving.moved(frame)["label_map"] for frame in frames[1:]][-1]
    wanted = np.roll(labels, 8, 1)
    assert (found == wanted)[8:-8, 16:-16].mean() > (labels == wanted)[8:-8, 16:-16].mean() + 0.08


def test_a_moving_thing_before_a_still_background_takes_its_box_along():
    frames = np.full((2, *SIZE, 3), 90, np.uint8)
    thing = np.random.default_rng(0).integers(0, 256, (24, 9, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        frame[30:54, 40 + 3 * number : 49 + 3 * number] = thing
    moving = Moving(FlowForm(preset="medium"))
    moving.begin(frames[0], {"boxes": np.array([[36.0, 28.0, 53.0, 56.0]])})
    assert moving.moved(frames[1])["boxes"][0, 0] == pytest.approx(39, abs=1)


def test_without_opencv_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "deltadistill.runtime.moving")
    monkeypatch.delitem(sys.modules, "deltadistill.motion.moved")
    with pytest.raises(ValueError, match="OpenCV, which is not installed; pip install opencv"):
        filler(Between(kind="moved", flow=FlowForm()))
