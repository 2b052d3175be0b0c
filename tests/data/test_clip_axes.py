"""Outputs of all frames at once come back as clips, whatever their containers."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch

from deltadistill.forward.clip_axes import all_frames, clip_axes, later_frames

CLIPS, FRAMES = 2, 3
ROWS = torch.arange(6.0)[:, None].expand(6, 5)  # time first: row t·N + n
EXPECTED = torch.tensor([[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]])  # [n, t]


def back(output):
    return clip_axes(output, CLIPS, FRAMES)


def test_a_tensor_gets_the_clips_two_axes():
    assert torch.equal(back(ROWS)[..., 0], EXPECTED)


def test_frames_of_clips_come_time_first_with_or_without_the_key_frames():
    output = {"out": (back(ROWS),)}
    assert torch.equal(all_frames(output)["out"][0], ROWS)
    assert torch.equal(later_frames(output)["out"][0], ROWS[CLIPS:])


def test_containers_keep_their_type():
    Pair = namedtuple("Pair", ["fine", "coarse"])
    output = back(OrderedDict(out=Pair(ROWS, [ROWS, None]), name="head"))
    assert type(output) is OrderedDict
    assert type(output["out"]) is Pair
    assert torch.equal(output["out"].coarse[0][..., 0], EXPECTED)
    assert output["out"].coarse[1] is None
    assert output["name"] == "head"


def test_dataclasses_are_containers():
    @dataclass
    class Output:
        logits: torch.Tensor
        loss: None = None

    assert torch.equal(back(Output(ROWS)).logits[..., 0], EXPECTED)


@pytest.mark.parametrize("counts", [[4, 0, 1, 7, 2, 3], [6, 6, 6, 6, 6, 6]])
def test_one_dict_of_detections_per_frame_becomes_a_list_per_clip(counts):
    detections = [{"boxes": torch.full((n, 4), float(i))} for i, n in enumerate(counts)]
    output = back(detections)
    assert [len(clip) for clip in output] == [FRAMES, FRAMES]
    for n in range(CLIPS):
        for t in range(FRAMES):
            assert output[n][t] is detections[t * CLIPS + n]


def test_one_tensor_of_boxes_per_frame_becomes_a_list_per_clip():
    boxes = [torch.full((i, 4), float(i)) for i in range(6)]
    assert back(tuple(boxes))[1][2] is boxes[5]


def test_as_many_maps_of_all_frames_as_frames_are_maps():
    levels = [ROWS + level for level in range(6)]
    output = back(levels)
    assert len(output) == 6
    assert torch.equal(output[4][..., 0], EXPECTED + 4)


@pytest.mark.parametrize(
    ("output", "message"),
    [(torch.zeros(5, 2), "no axis of 3·2 frames"), (torch.tensor(1.0), "no axis"), (object(), "type object")],
)
def test_what_cannot_be_divided_into_frames_is_refused(output, message):
    with pytest.raises(ValueError, match=message):
        back(output)
