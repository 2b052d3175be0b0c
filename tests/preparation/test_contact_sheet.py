from dataclasses import replace

import numpy as np
import pytest
from data import small_dataset
from PIL import Image

from deltadistill.data.box_files import write_box_file
from deltadistill.data.box_picture import draw_boxes
from deltadistill.data.boxes import NO_TRACK, Objects
from deltadistill.data.frames import FrameStore
from deltadistill.preparation.contact_sheet import draw_contact_sheet


def drawn(store, folder):
    draw_contact_sheet(store, folder / "sheet.png")
    with Image.open(folder / "sheet.png") as picture:
        return np.asarray(picture)


def test_the_sheet_shows_labels_in_class_colours(tmp_path):
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=12))
    sheet = drawn(store, tmp_path)
    road, car, person = (store.manifest.info.classes[index].color for index in (0, 5, 6))
    assert (sheet == road).all(-1).sum() > 10000
    assert (sheet == car).all(-1).sum() > 10000
    assert 100 < (sheet == person).all(-1).sum() < 1000  # in the legend alone


def test_without_labels_there_is_neither_label_row_nor_legend(tmp_path):
    labelled = drawn(FrameStore(small_dataset.make_manifest(tmp_path, frames=12)), tmp_path)
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=12, labelled=[], classes=()))
    assert drawn(store, tmp_path).shape[0] < 0.7 * labelled.shape[0]


def test_sparse_labels_are_shown(tmp_path):
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=30, labelled=[19]))
    sheet = drawn(store, tmp_path)
    assert (sheet == store.manifest.info.classes[0].color).all(-1).sum() > 5000


def test_clips_shorter_than_the_largest_distance_are_shown(tmp_path):
    assert drawn(FrameStore(small_dataset.make_manifest(tmp_path, frames=2)), tmp_path).ndim == 3


@pytest.fixture
def boxed(tmp_path):
    """Unlabelled clips with a car and a person in every frame, and stills to train on."""
    manifest = small_dataset.make_manifest(tmp_path, frames=12, labelled=[])
    names = [entry.name for entry in manifest.info.classes]
    objects = Objects([[2, 2, 12, 10], [14, 4, 20, 14]], [5, 6], [0, 7])
    write_box_file(tmp_path / "boxes.json", dict.fromkeys(range(12), objects), size=(16, 24), classes=names)
    frames = [replace(frame, boxes=tmp_path / "boxes.json") for frame in manifest.frames]
    stills = [replace(frame, clip=f"still{frame.index}", index=0) for frame in frames[:3]]
    return type(manifest).of([*frames, *stills], manifest.info)


def test_boxes_are_drawn_in_class_colours(tmp_path, boxed):
    store = FrameStore(boxed)
    sheet = drawn(store, tmp_path)
    car, person = (store.manifest.info.classes[index].color for index in (5, 6))
    assert (sheet == car).all(-1).sum() > 5000
    assert (sheet == person).all(-1).sum() > 5000


def test_stills_have_a_row_of_their_own(tmp_path, boxed):
    without = replace(boxed, frames=tuple(frame for frame in boxed.frames if "still" not in frame.clip))
    with_stills = drawn(FrameStore(boxed), tmp_path).shape[0]
    assert with_stills > drawn(FrameStore(without), tmp_path).shape[0] + 200


def test_boxes_are_where_they_should_be():
    objects = Objects([[4, 2, 14, 8]], [1], [NO_TRACK])
    picture = np.asarray(
        draw_boxes(np.zeros((10, 20, 3), np.uint8), objects, [(9, 9, 9), (250, 0, 0)], size=(20, 40))
    )
    rows, columns = np.nonzero(picture[..., 0] == 250)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 15, 8, 27)
    assert picture[10, 18].tolist() == [0, 0, 0]  # the inside stays free


def test_occluded_objects_have_thin_lines_and_tracks_their_number():
    pixels, colors = np.zeros((40, 60, 3), np.uint8), [(250, 0, 0)]

    def painted(**changes):
        options = {"tracks": [NO_TRACK], "occluded": [False]} | changes
        picture = draw_boxes(pixels, Objects([[10, 15, 40, 35]], [0], **options), colors, size=(40, 60))
        return int((np.asarray(picture)[..., 0] == 250).sum())

    assert painted(occluded=[True]) == 2 * 30 + 2 * 18
    assert painted() > 1.8 * painted(occluded=[True])
    assert painted(tracks=[12]) > painted() + 30
