"""Training batches of data sets with boxes."""

import numpy as np
import pytest
import torch
from data.small_box_dataset import SIDE, SIZE, make_box_manifest

from deltadistill.data.batches import TrainingBatches
from deltadistill.data.box_lists import pack_boxes
from deltadistill.data.boxes import PADDING, UNKNOWN, Objects
from deltadistill.data.frames import FrameStore
from deltadistill.data.transforms import Augment

WHOLE = Augment(crop=SIZE)


def batches(folder, *, clip_length=2, augment=WHOLE, **data):
    store = FrameStore(make_box_manifest(folder, **data))
    return TrainingBatches(
        store, "train", steps=20, batch=4, clip_length=clip_length, max_distance=2, augment=augment, seed=0
    )


def test_boxes_of_a_batch_are_padded_to_the_frame_with_most_of_them():
    two = Objects([[0, 1, 2, 3], [4, 5, 6, 7]], [1, 0])
    none, one = Objects(np.zeros((0, 4)), []), Objects([[8, 8, 9, 9]], [2])
    packed = pack_boxes([[two, none], [None, one]])
    assert packed.shape == (2, 2, 2, 5)
    assert packed[0, 0].tolist() == [[0, 1, 2, 3, 1], [4, 5, 6, 7, 0]]
    assert packed[0, 1, :, 4].tolist() == [PADDING, PADDING]
    assert packed[1, 0, :, 4].tolist() == [UNKNOWN, PADDING]
    assert packed[1, 1].tolist() == [[8, 8, 9, 9, 2], [PADDING] * 5]


def test_regions_of_many_objects_are_not_asked_for():
    crowd = Objects([[0, 1, 2, 3], [4, 5, 6, 7]], [1, 0], crowd=[True, False])
    assert pack_boxes([[crowd]])[0, 0].tolist() == [[4, 5, 6, 7, 0]]


def test_boxes_lie_where_the_pixels_of_the_square_do(tmp_path):
    augment = Augment(crop=SIZE, scale=(0.8, 1.4), flip=True)
    for step in range(5):
        item = batches(tmp_path, augment=augment)[step]
        assert item["label"].shape == (4, 2, 1, 5)
        for clip, boxes in zip(item["clip"].flatten(0, 1), item["label"].flatten(0, 1), strict=True):
            x0, y0, x1, y1, label = boxes[0].tolist()
            bright = (clip[int(label)] > 200).nonzero()
            assert bright.amin(0).tolist() == pytest.approx([y0, x0], abs=1.5)
            assert (bright.amax(0) + 1).tolist() == pytest.approx([y1, x1], abs=1.5)


def test_frames_without_boxes_say_so_and_a_sequence_ends_on_an_annotated_one(tmp_path):
    item = batches(tmp_path, annotated=[2])[0]
    assert (item["label"][:, 0, 0, 4] == UNKNOWN).all()
    assert (item["label"][:, 1, 0, 4] >= 0).all()


def test_single_frames_come_from_videos_and_stills_alike(tmp_path):
    drawn = batches(tmp_path, clip_length=1, stills=2)
    for step in range(5):
        backgrounds = drawn[step]["clip"][:, 0, 0, 0, 0]  # tells the clip: 5 pictures of video come before
        assert (backgrounds >= 40 + 5 * 5).sum() == 2
        assert torch.equal(drawn[step]["clip"], drawn[step]["clip"])


def test_distillation_sees_no_stills(tmp_path):
    drawn = batches(tmp_path, stills=2)
    assert all((drawn[step]["clip"][:, 0, 0, 0, 0] < 40 + 5 * 5).all() for step in range(10))
    assert drawn[0]["label"][0, 0, 0, 2] - drawn[0]["label"][0, 0, 0, 0] == SIDE
