import cv2
import numpy as np
import pytest

from deltadistill.preparation.street.long_clip import Course, render_long
from deltadistill.preparation.street.streams import StreamJob, write_streams

LOOK = {"height": 32, "width": 64, "seed": 0, "noise": 0.02}


def job(root, name="mast", **changes):
    given = {"split": "test", "number": 0, "frames": 6, "labelled_every": 3, "course": Course("fixed")}
    return StreamJob(root, name=name, **LOOK | given | changes)


def test_every_frame_has_its_time_and_the_last_of_so_many_its_label(tmp_path):
    counted = []
    rows = write_streams([job(tmp_path)], workers=1, progress=counted.append)
    assert [row.seconds for row in rows] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert [row.index for row in rows if row.label] == [2, 5]
    assert {(row.clip, row.split, row.origin) for row in rows} == {("mast_000", "test", "generated")}
    assert counted == [6]


def test_files_hold_what_was_rendered(tmp_path):
    (made,) = [job(tmp_path)]
    rows = write_streams([made], workers=1)
    rendered = render_long(made.key, made.course, height=32, width=64, noise=0.02)
    for row, frame in zip(rows, rendered, strict=False):
        assert np.array_equal(cv2.imread(str(row.image))[..., ::-1], frame.image)
        if row.label:
            assert np.array_equal(cv2.imread(str(row.label), cv2.IMREAD_UNCHANGED), frame.label_ids)


@pytest.mark.parametrize("other", [{"name": "other"}, {"number": 1}, {"split": "train"}, {"seed": 1}])
def test_another_name_number_split_or_seed_is_another_video(tmp_path, other):
    first, second = (write_streams([each], workers=1) for each in (job(tmp_path), job(tmp_path, **other)))
    if other == {"seed": 1}:  # whose files lie in the same place
        first = write_streams([job(tmp_path / "again")], workers=1)
    assert first[0].image.read_bytes() != second[0].image.read_bytes()


def test_other_videos_beside_it_change_nothing(tmp_path):
    alone = write_streams([job(tmp_path / "one")], workers=1)
    beside = write_streams([job(tmp_path / "two", "a"), job(tmp_path / "two")], workers=1)
    assert [row.image.read_bytes() for row in alone] == [row.image.read_bytes() for row in beside[6:]]
