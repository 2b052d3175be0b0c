import numpy as np
import pytest

from deltadistill.data.batches import TrainingBatches
from deltadistill.data.frames import FrameStore
from deltadistill.data.label_table import table
from deltadistill.data.transforms import Augment
from deltadistill.evaluation.positions import position_runs
from deltadistill.preparation.cityscapes import Layout, read_cityscapes
from deltadistill.preparation.stored_png import write_png

HEIGHT, WIDTH = 4, 8


def add_snippet(root, folder, city, seq, label, *, labelled=19, frames=30, without=()):
    """Frames label − 19 … label + 10 and the one label."""
    images, labels = root / "leftImg8bit_sequence" / folder / city, root / "gtFine" / folder / city
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    start = label - labelled
    for number in range(start, start + frames):
        if number not in without:
            name = f"{city}_{seq:06d}_{number:06d}_leftImg8bit.png"
            write_png(images / name, np.full((HEIGHT, WIDTH, 3), number % 256, np.uint8))
    ids = np.array([7, 8, 11, 33, 0, 4, 26, 1], np.uint8)
    write_png(labels / f"{city}_{seq:06d}_{label:06d}_gtFine_labelIds.png", np.tile(ids, (HEIGHT, 1)))


def add_still(root, city, seq, frame, *, folder="train_extra", label=True):
    """A picture of the extra training part with a coarse label: a road outlined in what is unlabelled."""
    images, labels = root / "leftImg8bit" / folder / city, root / "gtCoarse" / folder / city
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    stem = f"{city}_{seq:06d}_{frame:06d}"
    write_png(images / f"{stem}_leftImg8bit.png", np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    if label:
        ids = np.array([0, 0, 7, 7, 7, 0, 0, 1], np.uint8)
        write_png(labels / f"{stem}_gtCoarse_labelIds.png", np.tile(ids, (HEIGHT, 1)))


def read(root, **changes):
    options = {
        "kind": "cityscapes", "classes": table("cityscapes_19"), "layout": Layout(),
        "train": ["train"], "tune": [], "test": ["val"], "tune_every": 2,
    }  # fmt: skip
    return read_cityscapes(root, **options | changes)


@pytest.fixture
def root(tmp_path):
    """The real layout: a city of a snippet per sequence, one of several snippets in one, one to test on."""
    add_snippet(tmp_path, "train", "aachen", 0, 19)
    add_snippet(tmp_path, "train", "aachen", 1, 19)
    add_snippet(tmp_path, "train", "hamburg", 0, 42)  # 23 … 52
    add_snippet(tmp_path, "train", "hamburg", 0, 72)  # 53 … 82, without a gap
    add_snippet(tmp_path, "train", "hamburg", 0, 629)
    add_snippet(tmp_path, "val", "frankfurt", 0, 294)
    return tmp_path


def test_every_snippet_becomes_a_clip_with_its_label_at_19(root):
    manifest = read(root)
    clips = {
        name: frames for split in ("train", "tune", "test") for name, frames in manifest.clips(split).items()
    }
    assert sorted(clips) == [
        "aachen_000000_000000", "aachen_000001_000000", "frankfurt_000000_000275",
        "hamburg_000000_000023", "hamburg_000000_000053", "hamburg_000000_000610",
    ]  # fmt: skip
    for frames in clips.values():
        assert len(frames) == 30
        assert [(frame.index, frame.origin) for frame in frames if frame.label] == [(19, "true")]
    assert clips["hamburg_000000_000610"][19].label.name == "hamburg_000000_000629_gtFine_labelIds.png"


def test_whole_cities_are_held_back_to_tune_on(root):
    manifest = read(root)
    assert set(manifest.clips("train")) == {"aachen_000000_000000", "aachen_000001_000000"}
    assert len(manifest.clips("tune")) == 3
    assert set(manifest.clips("test")) == {"frankfurt_000000_000275"}


def test_folders_to_tune_on_can_be_named(root):
    add_snippet(root, "extra", "bonn", 0, 19)
    manifest = read(root, tune=["extra"])
    assert set(manifest.clips("tune")) == {"bonn_000000_000000"}
    assert len(manifest.clips("train")) == 5


def test_the_manifest_points_in_place_and_labels_become_train_ids(root, tmp_path):
    manifest = read(root)
    assert manifest.info.size == (HEIGHT, WIDTH)
    assert manifest.info.flow is None
    (tmp_path / "out").mkdir()
    manifest.write(tmp_path / "out" / "manifest.csv")
    frame = manifest.clips("test")["frankfurt_000000_000275"][19]
    assert frame.image.is_relative_to(root / "leftImg8bit_sequence")
    store = FrameStore(manifest)
    assert store.label(frame)[0].tolist() == [0, 1, 2, 18, 255, 255, 13, 255]
    assert int(store.image(frame)[0, 0, 0]) == 294 % 256


def test_a_labelled_frame_stands_at_every_position_of_a_sequence(root):
    store = FrameStore(read(root))
    runs = position_runs(store.manifest.clips("test"), 4, counts=store.is_annotated)
    # the sequences of the one snippet start at frames 19 − d of it, d = 3, 2, 1, 0, and end on its label
    assert [[frame.index for frame in run.frames] for run in runs] == [
        [16, 17, 18, 19], [17, 18, 19], [18, 19], [19]
    ]  # fmt: skip
    assert [run.scored for run in runs] == [
        (False, False, False, True), (False, False, True), (False, True), (True,)
    ]  # fmt: skip


def test_coarse_labels_of_the_extra_part_are_trained_on_as_stills(root):
    add_still(root, "augsburg", 0, 23)
    add_still(root, "augsburg", 12, 29)
    manifest = read(root, coarse=["train_extra"])
    stills = {name: frames for name, frames in manifest.clips("train").items() if len(frames) == 1}
    assert list(stills) == ["augsburg_000000_000023", "augsburg_000012_000029"]
    (frame,) = stills["augsburg_000000_000023"]
    assert frame.label.name == "augsburg_000000_000023_gtCoarse_labelIds.png"
    store = FrameStore(manifest)
    assert store.label(frame)[0].tolist() == [255, 255, 0, 0, 0, 255, 255, 255]
    assert manifest.counts()["labelled"] == {"train": 4, "tune": 3, "test": 1}
    assert all(len(frames) == 30 for frames in manifest.clips("tune").values())


def test_trainings_take_pairs_from_snippets_and_single_frames_from_stills_too(root):
    add_still(root, "augsburg", 0, 23)
    store = FrameStore(read(root, coarse=["train_extra"]))
    options = {"steps": 10, "batch": 4, "augment": Augment((HEIGHT, WIDTH)), "seed": 0}
    pairs = TrainingBatches(store, "train", clip_length=2, max_distance=5, **options)
    assert all((pairs[step]["clip"] != 200).all() for step in range(10))
    single = TrainingBatches(store, "train", clip_length=1, max_distance=0, **options)
    seen = {int(value) for step in range(10) for value in single[step]["clip"][:, 0, 0, 0, 0]}
    assert seen == {19, 200}  # the labelled frame of either snippet, and the still


def test_faults_of_stills_are_named_with_all_others(root):
    add_still(root, "augsburg", 0, 23, label=False)
    add_still(root, "augsburg", 0, 24)
    (root / "leftImg8bit/train_extra/augsburg/augsburg_000000_000024_leftImg8bit.png").unlink()
    add_still(root, "ulm", 0, 1)
    place = root / "gtCoarse/train_extra/ulm/ulm_000000_000001_gtCoarse_labelIds.png"
    place.write_bytes(place.read_bytes()[:-20])
    (place.parent / "ulm_1_gtCoarse_labelIds.png").write_bytes(b"")
    (root / "leftImg8bit_sequence/train/aachen/aachen_000000_000005_leftImg8bit.png").unlink()
    with pytest.raises(ValueError, match="has 6 faults") as error:
        read(root, coarse=["train_extra", "more"])
    for part in (
        "augsburg_000000_000023_gtCoarse_labelIds.png is missing",
        "augsburg_000000_000024_gtCoarse_labelIds.png has no picture",
        f"{place} is truncated",
        "ulm_1_gtCoarse_labelIds.png is not named ulm_<6 digits>_<6 digits>_gtCoarse_labelIds.png",
        "aachen_000000_000005_leftImg8bit.png is missing",
        "no folder of a city in",
    ):
        assert part in str(error.value)


def test_pictures_are_not_trained_on_that_are_measured(root):
    add_still(root, "frankfurt", 0, 294, folder="val")
    with pytest.raises(ValueError, match="val is named in coarse and elsewhere"):
        read(root, coarse=["val"])


def test_missing_frames_and_labels_are_named_all_together(root):
    (root / "leftImg8bit_sequence/train/aachen/aachen_000000_000005_leftImg8bit.png").unlink()
    (root / "leftImg8bit_sequence/val/frankfurt/frankfurt_000000_000275_leftImg8bit.png").unlink()
    (root / "gtFine/train/hamburg/hamburg_000000_000629_gtFine_labelIds.png").unlink()
    with pytest.raises(ValueError, match="has 3 faults") as error:
        read(root)
    text = str(error.value)
    assert "aachen_000000_000005_leftImg8bit.png is missing (frame 5 of 30" in text
    assert "frankfurt_000000_000275_leftImg8bit.png is missing (frame 0 of 30" in text
    assert "hamburg_000000: frames 000610 to 000639 belong to no labelled snippet" in text


def test_frames_beyond_the_snippet_are_reported(root):
    add_snippet(root, "train", "aachen", 2, 19, frames=33)
    with pytest.raises(
        ValueError, match="aachen_000002: frames 000030 to 000032 belong to no labelled snippet"
    ):
        read(root)


def test_labels_too_close_or_too_early_are_reported(root):
    add_snippet(root, "train", "aachen", 2, 30)
    add_snippet(root, "train", "aachen", 2, 50)
    add_snippet(root, "train", "aachen", 3, 7, labelled=7)
    with pytest.raises(ValueError, match="faults") as error:
        read(root)
    assert "aachen_000002: labels on frames 30 and 50 lie less than 30 apart" in str(error.value)
    assert "aachen_000003: the label on frame 7 has no 19 frames before it" in str(error.value)


def test_wrong_sizes_and_files_that_are_no_pictures_are_named(root):
    place = root / "leftImg8bit_sequence/val/frankfurt"
    write_png(place / "frankfurt_000000_000280_leftImg8bit.png", np.zeros((5, 8, 3), np.uint8))
    (place / "frankfurt_000000_000281_leftImg8bit.png").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="has 2 faults") as error:
        read(root)
    assert "frankfurt_000000_000280_leftImg8bit.png is 5×8; the first frame is 4×8" in str(error.value)
    assert "frankfurt_000000_000281_leftImg8bit.png is not a PNG file" in str(error.value)


def test_truncated_images_and_labels_are_named_all_together(root):
    frame = root / "leftImg8bit_sequence/val/frankfurt/frankfurt_000000_000280_leftImg8bit.png"
    label = root / "gtFine/train/hamburg/hamburg_000000_000629_gtFine_labelIds.png"
    for path in (frame, label):
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="has 2 faults") as error:
        read(root)
    for path in (frame, label):
        assert f"{path} is truncated: {path.stat().st_size} bytes without an end" in str(error.value)


def test_misnamed_files_are_reported(root):
    place = root / "leftImg8bit_sequence/val/frankfurt"
    write_png(place / "frankfurt_0_1_leftImg8bit.png", np.zeros((4, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"is not named frankfurt_<6 digits>_<6 digits>_leftImg8bit.png"):
        read(root)


def test_absent_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no folder of a city in .*leftImg8bit_sequence/train") as error:
        read(tmp_path)
    assert "leftImg8bit_sequence/val" in str(error.value)


def test_one_city_cannot_be_trained_and_tuned_on(tmp_path):
    add_snippet(tmp_path, "train", "aachen", 0, 19)
    add_snippet(tmp_path, "val", "frankfurt", 0, 19)
    with pytest.raises(ValueError, match="1 city to train on, none left to tune on"):
        read(tmp_path)


def test_a_label_on_every_frame_needs_every_label(root):
    layout = Layout(frames=30, labelled=None)
    with pytest.raises(ValueError, match=r"aachen_000000_000000_gtFine_labelIds.png is missing"):
        read(root, layout=layout)


def test_generated_clips_are_read_by_the_same_reader(tmp_path):
    from deltadistill.preparation.street.dataset import write_street

    size = {"frames": 4, "height": 32, "width": 64}
    write_street(tmp_path, {"train": 2, "tune": 1, "test": 1}, **size, seed=0, noise=0, workers=1)
    manifest = read(
        tmp_path,
        kind="generated",
        classes=table("street_8"),
        layout=Layout(4, None),
        tune=["tune"],
        test=["test"],
    )
    assert manifest.info.flow == "exact"
    assert manifest.info.size == (32, 64)
    frames = manifest.clips("train")["traintown_000001_000000"]
    assert all(frame.label and frame.boxes and frame.origin == "generated" for frame in frames)
    assert [frame.flow is not None for frame in frames] == [False, True, True, True]
    manifest.write(tmp_path / "manifest.csv")
