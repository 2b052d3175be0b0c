"""Ground truth from MOT text."""

import numpy as np
import pytest
from acceleration.conftest import shot
from preparation.small_videos import drifting

from deltadistill.acceleration.mot_truth import read_mot


def test_frames_count_from_one_and_boxes_have_corners(tmp_path):
    (tmp_path / "gt.txt").write_text("1,7,10,20,30,40,1,-1,-1,-1\n2,7,11,20,30,40,0,1,1\n")
    truth = read_mot(tmp_path / "gt.txt")
    assert truth.boxes[0].tolist() == [[10, 20, 40, 60]]
    assert 1 not in truth.boxes  # not to be taken into account


def test_found_boxes_are_compared_in_the_pixels_of_the_picture(tmp_path):
    (tmp_path / "gt.txt").write_text("3,1,20,10,20,20,1\n")
    truth = read_mot(tmp_path / "gt.txt")
    found = {"boxes": np.array([[10, 5, 20, 15]]), "scores": np.array([0.9])}
    film = shot(drifting(4))  # pictures of 48×64, frames of half the size
    records = [truth.record(film, 2, found, (24, 32)), truth.record(film, 3, found, (24, 32))]
    assert truth.total(records[:1]) == 1
    assert [record[2] for record in records] == [1, 0]


def test_only_people_are_compared_where_the_network_says_which_they_are(tmp_path):
    (tmp_path / "gt.txt").write_text("1,1,0,0,10,10,1\n")
    truth = read_mot(tmp_path / "gt.txt", ("car", "person"))
    found = {"boxes": np.array([[0, 0, 10, 10]] * 2), "labels": np.array([0, 1])}
    scores, _, _ = truth.record(shot(drifting(2)), 0, found, (48, 64))
    assert len(scores) == 1


@pytest.mark.parametrize("text", ["", "frame,id,left\n", "0,1,2,3,4,5\n", "1,2,3,4,5,nan\n"])
def test_what_is_no_mot_text_is_refused_with_its_place(tmp_path, text):
    (tmp_path / "gt.txt").write_text(text)
    with pytest.raises(ValueError, match=r"gt\.txt.*expected MOT text"):
        read_mot(tmp_path / "gt.txt")
