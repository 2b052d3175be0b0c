import numpy as np
from PIL import Image

from deltadistill.data.contact_sheet import draw_contact_sheet
from deltadistill.data.frames import FrameStore


def drawn(store, folder):
    draw_contact_sheet(store, folder / "sheet.png")
    with Image.open(folder / "sheet.png") as picture:
        return np.asarray(picture)


def test_the_sheet_shows_labels_in_class_colours(tmp_path, small_dataset):
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=12))
    sheet = drawn(store, tmp_path)
    road, car, person = (store.manifest.info.classes[index].color for index in (0, 5, 6))
    assert (sheet == road).all(-1).sum() > 10000
    assert (sheet == car).all(-1).sum() > 10000
    assert 100 < (sheet == person).all(-1).sum() < 1000  # in the legend alone


def test_without_labels_there_is_neither_label_row_nor_legend(tmp_path, small_dataset):
    labelled = drawn(FrameStore(small_dataset.make_manifest(tmp_path, frames=12)), tmp_path)
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=12, labelled=[], classes=()))
    assert drawn(store, tmp_path).shape[0] < 0.7 * labelled.shape[0]


def test_sparse_labels_are_shown(tmp_path, small_dataset):
    store = FrameStore(small_dataset.make_manifest(tmp_path, frames=30, labelled=[19]))
    sheet = drawn(store, tmp_path)
    assert (sheet == store.manifest.info.classes[0].color).all(-1).sum() > 5000


def test_clips_shorter_than_the_largest_distance_are_shown(tmp_path, small_dataset):
    assert drawn(FrameStore(small_dataset.make_manifest(tmp_path, frames=2)), tmp_path).ndim == 3
