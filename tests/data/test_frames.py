from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from data import small_dataset
from PIL import Image

from deltadistill.data import frames as frames_module
from deltadistill.data.box_files import write_box_file
from deltadistill.data.boxes import Objects
from deltadistill.data.frames import FrameStore, normalise
from deltadistill.data.letterbox import FILL
from deltadistill.data.manifest import Manifest
from deltadistill.preparation.stored_png import write_png


@pytest.fixture
def manifest(tmp_path):
    return small_dataset.make_manifest(tmp_path, flow=True, labelled=[1, 2, 3, 4, 5])


def test_frames_labels_and_flow_are_decoded(manifest):
    store = FrameStore(manifest)
    frame = manifest.clips("train")["train1"][4]
    image = store.image(frame)
    assert image.dtype == torch.uint8
    assert image.shape == (3, 16, 24)
    assert image[:, 3, 7].tolist() == [10, 4, 7]  # RGB, not BGR
    label = store.label(frame)
    assert label.dtype == torch.uint8
    assert label[0].tolist() == [0] * 12 + [5] * 12
    flow, valid = store.flow(frame)
    assert flow.dtype == torch.float32
    assert flow.shape == (2, 16, 24)
    assert flow[:, 0, 0].tolist() == [1.5, -0.5]
    assert valid.dtype == torch.bool
    assert valid.all()


def test_it_knows_classes_and_size(manifest):
    store = FrameStore(manifest)
    assert store.size == (16, 24)
    assert store.classes[0] == "road"
    assert len(store.classes) == 8


def test_a_frame_without_label_is_ignored_throughout(manifest):
    frame = manifest.clips("tune")["tune0"][0]
    assert frame.label is None
    assert (FrameStore(manifest).label(frame) == 255).all()


def test_flow_that_is_not_there_is_explained(manifest, tmp_path):
    with pytest.raises(ValueError, match="frame 0 of clip tune0: a clip's first frame has none before it"):
        FrameStore(manifest).flow(manifest.clips("tune")["tune0"][0])
    (tmp_path / "still").mkdir()
    without = small_dataset.make_manifest(tmp_path / "still")
    with pytest.raises(ValueError, match="its data set has no exact flow"):
        FrameStore(without).flow(without.clips("tune")["tune0"][3])


def test_a_cached_frame_survives_its_file_and_an_uncached_does_not(manifest):
    frames = manifest.clips("train")["train0"]
    size = 16 * 24 * 3
    store = FrameStore(manifest, cache_bytes=2 * size)
    first = store.image(frames[0])
    for index in (1, 2):
        store.image(frames[index])
    for frame in frames:
        frame.image.unlink()
    assert torch.equal(store.image(frames[2])[1], torch.full((16, 24), 2, dtype=torch.uint8))
    store.image(frames[1])
    with pytest.raises(ValueError, match=r"train0_0.png cannot be opened"):
        store.image(frames[0])
    assert first[1].unique().tolist() == [0]


def test_a_cache_holds_as_many_bytes_as_it_may_and_drops_the_longest_unused(manifest):
    frames = manifest.clips("train")["train0"][:3]
    picture = 16 * 24 * 3
    for pictures, read_again in ((3, []), (2, [frames[1]])):
        store = FrameStore(manifest, cache_bytes=pictures * picture)
        read = []
        store._read_image = lambda path, read=read, real=store._read_image: read.append(path) or real(path)
        for frame in (frames[0], frames[1], frames[0], frames[2], frames[0], frames[1]):
            store.image(frame)
        assert read == [frame.image for frame in (*frames, *read_again)]


def test_no_cache_keeps_nothing(manifest):
    store = FrameStore(manifest, cache_bytes=0)
    frame = manifest.frames[0]
    store.image(frame)
    frame.image.unlink()
    with pytest.raises(ValueError, match="cannot be opened"):
        store.image(frame)
    with pytest.raises(ValueError, match="cache_bytes is -1"):
        FrameStore(manifest, cache_bytes=-1)


def test_changing_a_tensor_does_not_change_the_cache(manifest):
    store, frame = FrameStore(manifest), manifest.frames[7]
    store.image(frame).zero_()
    store.label(frame).zero_()
    store.flow(frame)[0].zero_()
    assert store.image(frame).any()
    assert store.label(frame).any()
    assert store.flow(frame)[0].any()
    with pytest.raises(ValueError, match="read-only"):
        store.image_array(frame)[:] = 0


@pytest.mark.parametrize("keep", [0, 10, 60, -1])
def test_a_truncated_image_is_named(manifest, keep):
    path = manifest.frames[0].image
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"train0_0.png is (truncated|not a picture)"):
        FrameStore(manifest).image(manifest.frames[0])


def test_an_image_of_another_size_or_kind_is_named(manifest):
    frame = manifest.frames[1]
    write_png(frame.image, np.zeros((5, 6, 3), np.uint8))
    write_png(frame.label, np.zeros((16, 24, 3), np.uint8))
    with pytest.raises(ValueError, match=r"train0_1.png is 5×6; its data set is 16×24"):
        FrameStore(manifest).image(frame)
    with pytest.raises(ValueError, match="a label is a grey 8-bit PNG"):
        FrameStore(manifest).label(frame)


def test_damaged_flow_is_named(manifest):
    frame = manifest.frames[1]
    whole = frame.flow.read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2]):
        frame.flow.write_bytes(content)
        with pytest.raises(ValueError, match=r"train0_1_flow.npz is not readable as arrays"):
            FrameStore(manifest).flow(frame)
    np.savez(frame.flow, flow=np.zeros((4, 4, 2)), valid=np.zeros((4, 4), bool))
    with pytest.raises(ValueError, match=r"float64 \(4, 4, 2\), expected floating-point numbers \(16,"):
        FrameStore(manifest).flow(frame)


@pytest.mark.parametrize(("gib", "held"), [(0, 0), (1, 4), (2400 / 2**30, 2)])  # 1152 bytes a picture
def test_a_folder_opens_with_a_cache_of_so_many_gib(tmp_path, gib, held):
    small_dataset.make_manifest(tmp_path, frames=4).write(tmp_path / "manifest.csv")
    store = FrameStore.open(tmp_path, **({} if gib == 1 else {"cache_gib": gib}))
    clip = next(iter(store.manifest.clips("train").values()))
    for frame in clip:
        store.image(frame)
    for frame in clip:
        frame.image.unlink()
    left = [frame for frame in clip if can_be_read(store, frame)]
    assert left == list(clip[len(clip) - held :])


def can_be_read(store, frame):
    try:
        return store.image(frame) is not None
    except ValueError:
        return False


def test_normalise_takes_out_mean_and_deviation():
    frames = torch.tensor([0, 255, 124], dtype=torch.uint8).view(1, 3, 1, 1)
    # ImageNet's, RGB: (0 − 0.485) / 0.229, (1 − 0.456) / 0.224, (124/255 − 0.406) / 0.225
    expected = torch.tensor([-2.117904, 2.428571, 0.356776])
    assert torch.allclose(normalise(frames).flatten(), expected, atol=1e-5)
    assert normalise(torch.zeros(2, 4, 3, 5, 6, dtype=torch.uint8)).shape == (2, 4, 3, 5, 6)
    with pytest.raises(ValueError, match=r"takes uint8 \(…, 3, H, W\), got torch.float32"):
        normalise(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match="takes uint8"):
        normalise(torch.zeros(3, 2, 4, 4, dtype=torch.uint8))


@pytest.fixture
def boxed(tmp_path, manifest):
    """The manifest with a car in frame 1 of every clip, nothing in frame 2, the others not annotated."""
    for clip in {frame.clip for frame in manifest.frames}:
        found = {1: Objects([[2, 4, 8, 10]], [5], [3]), 2: Objects([], [])}
        names = [entry.name for entry in manifest.info.classes]
        write_box_file(tmp_path / f"{clip}.json", found, size=(16, 24), classes=names)
    frames = tuple(replace(frame, boxes=tmp_path / f"{frame.clip}.json") for frame in manifest.frames)
    return replace(manifest, frames=frames)


def test_boxes_of_a_frame_are_read(boxed):
    store, clip = FrameStore(boxed), boxed.clips("test")["test0"]
    objects = store.boxes(clip[1])
    assert (objects.boxes.tolist(), objects.classes.tolist()) == ([[2, 4, 8, 10]], [5])
    assert objects.tracks.tolist() == [3]
    assert len(store.boxes(clip[2])) == 0
    for frame in (clip[0], replace(clip[1], boxes=None)):
        with pytest.raises(ValueError, match=r"no boxes for frame \d of clip test0: it is not annotated"):
            store.boxes(frame)


def test_boxes_of_a_limited_number_of_clips_stay_in_memory(boxed, monkeypatch):
    monkeypatch.setattr(frames_module, "_CLIPS_OF_BOXES", 2)
    store = FrameStore(boxed)
    used = [
        boxed.clips("train")["train0"][1],
        boxed.clips("train")["train1"][1],
        boxed.clips("tune")["tune0"][1],
    ]
    for frame in used:
        store.boxes(frame)
        frame.boxes.unlink()
    assert len(store.boxes(used[2])) == len(store.boxes(used[1])) == 1
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        store.boxes(used[0])


def test_pictures_of_any_size_are_fitted_with_their_boxes(boxed):
    fitted = Manifest(boxed.frames, replace(boxed.info, size=(12, 12), fit="letterbox"))
    store, frame = FrameStore(fitted), fitted.clips("test")["test0"][1]
    image = store.image_array(frame)
    assert image.shape == (12, 12, 3)
    assert (image[8:] == FILL).all()
    assert (image[:8, :, 1] == 1).all()  # its frame number
    assert store.boxes(frame).boxes.tolist() == [[1, 2, 4, 5]]


def test_a_picture_is_read_as_it_is_stored_whatever_its_orientation_tag_says(manifest):
    frame = manifest.frames[0]
    tagged = Image.Exif()
    tagged[0x0112] = 6  # turn by a quarter to look at it
    Image.new("RGB", (24, 16)).save(frame.image, format="JPEG", exif=tagged)
    assert cv2.imread(str(frame.image)).shape == (24, 16, 3)
    assert FrameStore(manifest).image_array(frame).shape == (16, 24, 3)


def test_a_truncated_jpeg_is_named(manifest):
    frame = manifest.frames[0]
    cv2.imwrite(str(frame.image.with_suffix(".JPEG")), np.zeros((16, 24, 3), np.uint8))
    content = frame.image.with_suffix(".JPEG").read_bytes()
    frame.image.write_bytes(content[:-10])
    with pytest.raises(ValueError, match=r"train0_0.png is truncated"):
        FrameStore(manifest).image(frame)


@pytest.mark.parametrize("cached", [0, 5, 100])
def test_several_threads_read_the_same_as_one(manifest, cached):
    size = 16 * 24 * 3
    frames = [*manifest.frames] * 8
    store, alone = FrameStore(manifest, cache_bytes=cached * size), FrameStore(manifest)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda frame: (store.image(frame), store.label(frame)), frames))
    for frame, (image, label) in zip(frames, found, strict=True):
        assert torch.equal(image, alone.image(frame))
        assert torch.equal(label, alone.label(frame))
    held = sum(array.nbytes for arrays in store._cache.values() for array in arrays)
    assert store._held == held <= cached * size
