"""Data sets made to harm: paths that lead out, files that unpack to much, numbers beyond sense."""

import json
import os
import shutil
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hostile.readers import SIZE, make_dataset, make_examples, make_frames, make_video, read_examples

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.digest import content_digest
from deltadistill.data.frames import FrameStore
from deltadistill.data.label_table import table
from deltadistill.data.manifest import COLUMNS, Frame, Manifest
from deltadistill.data.picture import decode_picture
from deltadistill.files.limits import MOST_CLIP_FRAMES
from deltadistill.video.video_source import read_video


@pytest.fixture
def data(tmp_path):
    """A small data set in a folder of its own, with a picture beside that is none of its business."""
    folder = tmp_path / "data"
    folder.mkdir()
    make_dataset(folder)
    shutil.copy(folder / "train_0.png", tmp_path / "private.png")
    return folder


def edit_row(folder, **values):
    """Change the manifest's first row."""
    lines = (folder / "manifest.csv").read_text().splitlines()
    row = dict(zip(COLUMNS, lines[1].split(","), strict=True)) | values
    lines[1] = ",".join(row[column] for column in COLUMNS)
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")


def edit_info(folder, **values):
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("column", ["image", "label", "flow", "boxes"])
@pytest.mark.parametrize(
    "text", ["../private.png", "deeper/../../private.png", "{outside}/private.png", "/etc/passwd"]
)
def test_a_path_that_leads_out_of_the_data_set_is_refused(data, column, text):
    edit_row(data, **{column: text.format(outside=data.parent)})
    with pytest.raises(ValueError, match=r"has 1 fault:\n  line 2: .*(without \.\.|lies outside)"):
        Manifest.read(data / "manifest.csv")


def test_a_link_out_of_the_data_set_is_refused_and_named_with_its_goal(data):
    for place in (data / "train_0.png", data / "deeper"):
        place.unlink(missing_ok=True)
    (data / "train_0.png").symlink_to(data.parent / "private.png")
    with pytest.raises(ValueError, match=r"line 2: train_0\.png is a link out of .* to .*private\.png"):
        Manifest.read(data / "manifest.csv")
    (data / "deeper").symlink_to(data.parent)
    edit_row(data, image="deeper/private.png")
    with pytest.raises(ValueError, match=r"line 2: deeper/private\.png is a link out of"):
        Manifest.read(data / "manifest.csv")


def test_links_inside_a_data_set_and_to_one_are_followed(data):
    shutil.move(data / "train_0.png", data / "real.png")
    (data / "train_0.png").symlink_to("real.png")
    (data.parent / "linked").symlink_to(data)
    assert len(Manifest.read(data.parent / "linked" / "manifest.csv").frames) == 12


def test_links_in_a_circle_and_names_that_no_file_can_have_are_refused(data):
    (data / "a.png").symlink_to("b.png")
    (data / "b.png").symlink_to("a.png")
    for text in ("a.png", "x" * 5000, "train_0.png\x1b[2J"):
        edit_row(data, image=text)
        with pytest.raises(ValueError, match=r"manifest\.csv has 1 fault"):
            Manifest.read(data / "manifest.csv")


def test_a_data_set_that_lies_elsewhere_says_where_and_is_read(data, tmp_path):
    (tmp_path / "described").mkdir()
    manifest = Manifest.read(data / "manifest.csv")
    manifest.write(tmp_path / "described" / "manifest.csv")
    content = json.loads((tmp_path / "described" / "dataset.json").read_text())
    assert content["elsewhere"] == [str(data)]
    assert Manifest.read(tmp_path / "described" / "manifest.csv") == manifest
    edit_row(tmp_path / "described", image=str(tmp_path / "private.png"))
    with pytest.raises(ValueError, match=r"private\.png lies outside"):
        Manifest.read(tmp_path / "described" / "manifest.csv")


def test_a_data_set_in_its_own_folder_lists_no_other(data):
    assert "elsewhere" not in json.loads((data / "dataset.json").read_text())


def test_a_linked_file_is_written_as_what_it_is(data, tmp_path):
    (data / "train_0.png").unlink()
    (data / "train_0.png").symlink_to(tmp_path / "private.png")
    frames = Manifest.read(make_again(data) / "manifest.csv").frames
    assert frames[0].image == data / "train_0.png"


def make_again(folder):
    """Describe the frames of a folder anew, as they are now."""
    rows = [line.split(",") for line in (folder / "manifest.csv").read_text().splitlines()[1:]]
    info = json.loads((folder / "dataset.json").read_text())
    frames = [
        Frame(clip, int(index), split, *(folder / text if text else None for text in (image, label, flow)))
        for clip, index, image, label, split, flow, *_ in rows
    ]
    Manifest.of(frames, DatasetInfo(info["kind"], SIZE, table("street_8"), "exact", "")).write(
        folder / "manifest.csv"
    )
    return folder


@pytest.mark.parametrize("index", ["-1", "1e3", "9" * 5000, str(MOST_CLIP_FRAMES), "999999999", "٣"])
def test_a_frame_number_beyond_sense_is_refused_at_once(data, index):
    edit_row(data, frame=index)
    with pytest.raises(ValueError, match=r"line 2: frame '.*' is not a whole number from 0, below 1000000"):
        Manifest.read(data / "manifest.csv")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"clip,frame\xff", r"manifest\.csv is no UTF-8 text: byte 10 is 0xff"),
        (b"clip\0", r"manifest\.csv is no text: byte 4 is NUL"),
        (b"clip," * 40_000 + b"x" * 200_000, r"manifest\.csv, line \d+: field larger than"),
    ],
)
def test_a_table_that_is_none_is_refused_by_name(data, content, fault):
    (data / "manifest.csv").write_bytes(content)
    with pytest.raises(ValueError, match=fault) as caught:
        Manifest.read(data / "manifest.csv")
    assert type(caught.value) is ValueError


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"size": [10**9, 10**9]}, "size: .*more than 67108864 pixels"),
        ({"size": [-16, 24]}, r"size\.0: .*greater than or equal to 1"),
        ({"size": [16.5, 24]}, r"size\.0: "),
        ({"classes": [{"name": "a", "color": [0, 0, 300], "label_ids": []}]}, r"classes\.0\.color\.2: "),
        ({"classes": [{"name": "a", "color": [0, 0, 0], "label_ids": [-1]}]}, r"classes\.0\.label_ids\.0: "),
        ({"classes": [{"name": "a", "color": [0, 0, 0], "label_ids": []}] * 300}, "classes: .*at most 255"),
        ({"flow": "guessed"}, "flow: "),
        ({"elsewhere": "/"}, "elsewhere: "),
    ],
)
def test_common_facts_beyond_sense_are_refused_by_key(data, values, fault):
    edit_info(data, **values)
    with pytest.raises(ValueError, match=rf"dataset\.json is damaged \({fault}"):
        Manifest.read(data / "manifest.csv")


def png(height, width, *, data=b""):
    """A PNG whose header may lie."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2**31 - 1), (1, 2**27), (0, 10)])
def test_a_picture_of_a_size_beyond_sense_is_refused_from_its_header(tmp_path, size):
    path = tmp_path / "1.png"
    path.write_bytes(png(*size))
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"1\.png is {size[0]}×{size[1]}; pictures of 1 to"):
        decode_picture(path, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_a_frame_of_another_size_than_its_data_set_is_refused_from_its_header(data):
    (data / "train_0.png").write_bytes(png(8000, 8000, data=bytes(8000 * 24001)))  # 188 MiB in 190 KiB
    store = FrameStore.open(data)
    with pytest.raises(ValueError, match=r"train_0\.png is 8000×8000; its data set is 16×24"):
        store.image(store.manifest.clips("train")["train"][0])


def test_a_part_of_a_picture_that_says_to_be_longer_than_the_file_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "1.png"
    content = png(4, 5, data=bytes(4 * 16))
    assert not decode_picture(write(path, content), 1).any()
    place = content.index(b"IDAT") - 4
    long = content[:place] + (2**29).to_bytes(4, "big") + content[place + 4 :]
    with pytest.raises(ValueError, match=r"1\.png is truncated: its \d+ bytes lack the end"):
        decode_picture(write(path, long), 1)


def write(path, content):
    path.write_bytes(content)
    return path


def test_formats_that_no_folder_of_pictures_has_are_refused_whatever_their_name(tmp_path):
    """What the decoder would take by its content: portable pixmaps, Radiance, OpenEXR, JPEG 2000, GIF."""
    contents = (b"P6\n9 9\n255\n" + bytes(243), b"#?RADIANCE\n", b"v/1\x01", b"\0\0\0\x0cjP  ", b"GIF89a")
    for content in contents:
        (tmp_path / "1.png").write_bytes(content + bytes(300))
        with pytest.raises(ValueError, match=r"1\.png is not a picture that can be read"):
            decode_picture(tmp_path / "1.png", 1)


def test_flow_that_unpacks_to_much_is_refused_from_its_header(tmp_path):
    image, _, flow = make_frames(tmp_path)
    np.savez_compressed(flow, flow=np.zeros((4000, 4000, 2), np.float16), valid=np.ones(SIZE, bool))
    store = FrameStore.open(tmp_path)
    frame = store.manifest.clips("train")["train"][1]
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"train_1_flow\.npz .*flow is float16 \(4000, 4000, 2\), expected"):
        store.flow(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert image.is_file()


def test_pickled_objects_among_arrays_are_refused_and_not_run(tmp_path, monkeypatch):
    class Harmful:
        def __reduce__(self):
            return os.system, ("touch ran",)

    monkeypatch.chdir(tmp_path)
    *_, flow = make_frames(tmp_path)
    np.savez(flow, flow=np.array([Harmful()], dtype=object), valid=np.ones(SIZE, bool))
    store = FrameStore.open(tmp_path)
    with pytest.raises(ValueError, match=r"train_1_flow\.npz .*flow holds pickled objects"):
        store.flow(store.manifest.clips("train")["train"][1])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "arrays",
    [
        {"clips": np.array(["test"]), "predictions_T3": np.zeros((1, 40_000, *SIZE), np.uint8)},
        {"clips": np.array(["test"] * 9), "predictions_T3": np.zeros((9, 4, *SIZE), np.uint8)},
        {"clips": np.array(["x" * 10**6]), "predictions_T3": np.zeros((1, 4, *SIZE), np.uint8)},
        {"clips": np.array(["test"]), "predictions_T3": np.zeros((1, 4, *SIZE), np.float64)},
        {"clips": np.array(["test"], dtype=object), "predictions_T3": np.zeros((1, 4, *SIZE), np.uint8)},
    ],
)
def test_examples_that_do_not_fit_the_test_clips_are_refused_from_their_headers(tmp_path, arrays):
    [path] = make_examples(tmp_path)
    np.savez_compressed(path, **arrays)
    with pytest.raises(ValueError, match=r"examples\.npz is not readable as arrays: .*(expected|pickled)"):
        read_examples(tmp_path)


def test_a_playlist_is_no_video_whatever_its_name(tmp_path):
    """Formats whose files name others: a video from someone else must not open what lies here."""
    make_video(tmp_path, suffix="mp4", codec="mpeg4", pixels="yuv420p")
    playlists = {
        "concat.mp4": "ffconcat version 1.0\nfile ride.mp4\n",
        "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nride.mp4\n#EXT-X-ENDLIST\n",
        "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    }
    for name, text in playlists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=rf"{name} is not a video"):
            list(read_video(tmp_path / name))


def test_a_path_that_reads_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concat:a.mp4|b.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match="is not a video"):
        list(read_video(tmp_path / "concat:a.mp4|b.mp4"))


def test_a_video_with_more_pixels_than_allowed_is_refused_before_a_frame_is_decoded(tmp_path, monkeypatch):
    [path] = make_video(tmp_path, suffix="mp4", codec="mpeg4", pixels="yuv420p")
    monkeypatch.setattr("deltadistill.video.video_source.MOST_PIXELS", 512 * 512)
    assert len(list(read_video(path))) == 6
    monkeypatch.setattr("deltadistill.video.video_source.MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(ValueError, match=r"ride\.mp4 is 48×64; videos of up to 3071 pixels are read"):
        list(read_video(path))


def test_a_frame_larger_than_the_video_says_is_refused_too(tmp_path, monkeypatch):
    [path] = make_video(tmp_path, suffix="mp4", codec="mpeg4", pixels="yuv420p")
    monkeypatch.setattr("deltadistill.video.video_source.MOST_PIXELS", 1000)
    monkeypatch.setattr(
        "deltadistill.video.video_source._require_size", lambda *_: None
    )  # as if it said less
    with pytest.raises(ValueError, match=r"ride\.mp4 is not a video .* or its frames are too large"):
        list(read_video(path))


@pytest.mark.parametrize("which", ["image", "label", "flow"])
def test_a_file_that_vanished_after_the_manifest_was_read_is_named(data, which):
    store = FrameStore.open(data)
    frame = store.manifest.clips("train")["train"][1]
    path = getattr(frame, which)
    path.unlink()
    with pytest.raises(ValueError, match=rf"{path.name} cannot be (opened|read): No such file") as caught:
        getattr(store, which)(frame)
    assert type(caught.value) is ValueError


def test_a_file_that_vanished_while_a_data_set_was_described_is_named(data):
    with pytest.raises(ValueError, match=r"gone\.png cannot be read: No such file or directory"):
        content_digest([data / "train_0.png", data / "gone.png"], data)
