"""Answers moved by optical flow."""

import numpy as np
import pytest
from preparation.small_videos import drifting

from deltadistill.acceleration.moving import Moving, can_move

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
