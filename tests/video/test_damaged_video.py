"""Videos that lack something: what is honest, what is refused with which words, and what can be left out."""

import re

import av
import cv2
import pytest
from preparation.small_videos import (
    cut_without_encoding,
    damage,
    drifting,
    grey,
    noise,
    packet_places,
    write_streams,
    write_video,
)

from deltadistill.video.video_frame import Noticed
from deltadistill.video.video_length import Announced
from deltadistill.video.video_source import read_video

CODECS = [("mp4", "mpeg4", "yuv420p"), ("avi", "mjpeg", "yuvj420p"), ("mkv", "mpeg4", "yuv420p")]
codecs = pytest.mark.parametrize(("suffix", "codec", "pixels"), CODECS)


def read(path, **options):
    noticed = Noticed()
    return list(read_video(path, noticed=noticed, **options)), noticed


def test_an_mp4_that_was_cut_without_encoding_is_whole(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", [grey(6 * step) for step in range(40)], gop=50)
    path = cut_without_encoding(whole, tmp_path / "cut.mp4", first=15)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 40  # the header counts the hidden ones too
    frames, _ = read(path)
    assert [float(frame.pixels.mean()) for frame in frames] == pytest.approx(range(90, 240, 6), abs=5)
    assert [round(25 * frame.seconds) for frame in frames] == list(range(25))


def test_an_avi_with_dropped_frames_is_whole(tmp_path):
    path = write_video(
        tmp_path / "a.avi", drifting(20), codec="mjpeg", pixels="yuvj420p", rate=15, times=range(0, 120, 6)
    )
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 115
    frames, _ = read(path)
    assert [round(15 * frame.seconds) for frame in frames] == list(range(0, 120, 6))


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_a_file_that_ends_early_is_refused_by_the_time_it_covers(tmp_path, suffix):
    path = write_streams(tmp_path / f"a.{suffix}", noise(40))
    if suffix == "mp4":
        index_first(path)
    place, _ = packet_places(path)[20]
    path.write_bytes(path.read_bytes()[:place])
    with pytest.raises(
        ValueError, match=r"truncated: found \d+ frames, 0\.\d+ s; its header announces 1\.60 s"
    ):
        read(path)
    frames, noticed = read(path, damaged="skip")
    assert 15 < len(frames) <= 21
    assert noticed.cut_off.startswith(f"truncated: found {len(frames)} frames")


def index_first(path):
    with av.open(str(path)) as taken:
        stream = taken.streams.video[0]
        with av.open(str(path.with_suffix(".first.mp4")), "w", options={"movflags": "faststart"}) as made:
            copy = made.add_stream_from_template(stream)
            for packet in taken.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    made.mux(packet)
    path.with_suffix(".first.mp4").rename(path)


@pytest.mark.parametrize(
    ("said", "count", "end", "whole"),
    [
        (Announced(seconds=10, frames=444), 68, 10.0, True),
        (Announced(seconds=10, frames=444), 444, 9.0, False),
        (Announced(seconds=10, start=5), 200, 14.9, True),
        (Announced(seconds=10, start=5), 200, 10.0, False),  # ten seconds on the clock, five covered
        (Announced(frames=100, rate=25), 50, 4.0, True),
        (Announced(frames=100, rate=25), 100, 2.0, False),
        (Announced(frames=100), 94, float("inf"), False),  # no times: frames are all that is known
        (Announced(frames=100), 95, float("inf"), True),
        (Announced(), 2, 0.08, True),
    ],
)
def test_time_decides_and_frames_only_where_there_is_none(said, count, end, whole):
    assert said.is_reached(count, end) == whole


def test_an_mp4_without_its_index_is_called_that(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise(20))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") - 4])
    for damaged in ("stop", "skip"):
        with pytest.raises(ValueError, match=r"a\.mp4 is truncated: an MP4 without its index \(moov\)"):
            read(path, damaged=damaged)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85])
def test_an_mp4_whose_index_is_cut_off_is_called_that(tmp_path, kept):
    path = write_video(tmp_path / "a.mp4", noise(20))
    whole = path.read_bytes()
    begin = whole.index(b"moov") - 4
    path.write_bytes(whole[: begin + 16 + int(kept * (len(whole) - begin - 16))])
    with pytest.raises(ValueError, match=r"a\.mp4 is truncated: an MP4 whose index is cut off \(moov\)"):
        read(path)


@codecs
def test_damage_in_the_middle_stops_with_what_to_set(tmp_path, suffix, codec, pixels):
    path = write_video(tmp_path / f"a.{suffix}", drifting(40), codec=codec, pixels=pixels)
    damage(path, 17)
    with pytest.raises(ValueError, match=r"set prepare_dataset\.video\.damaged to skip") as error:
        read(path)
    few = int(re.search(r"max_frames to (\d+) or fewer", str(error.value))[1])
    assert 10 < few <= 17
    assert len(read(path, max_frames=few)[0]) == few


@codecs
def test_damaged_frames_are_left_out_and_counted_and_the_next_says_so(tmp_path, suffix, codec, pixels):
    path = write_video(tmp_path / f"a.{suffix}", drifting(40), codec=codec, pixels=pixels)
    damage(path, 17)
    frames, noticed = read(path, damaged="skip")
    first = (
        18 if codec == "mjpeg" else 24
    )  # what is predicted from a lost frame is lost too, up to a key frame
    assert [round(25 * frame.seconds) for frame in frames] == [*range(17), *range(first, 40)]
    assert [number for number, frame in enumerate(frames) if frame.follows_gap] == [17]
    assert noticed.skipped == first - 17
    assert noticed.places == ["after frame 16"]
    assert re.match(rf"{first - 17} damaged frames? left out, 1 gap: after frame 16", noticed.notes()[0])


def test_several_gaps_are_counted_each(tmp_path):
    path = write_video(tmp_path / "a.avi", drifting(40), codec="mjpeg", pixels="yuvj420p")
    for packet in range(3, 39, 5):
        damage(path, packet)
    frames, noticed = read(path, damaged="skip")
    assert len(frames) == 32
    assert sum(frame.follows_gap for frame in frames) == 8
    assert noticed.notes()[0].startswith("8 damaged frames left out, 8 gaps: after frame 2, after frame 7,")
    assert noticed.notes()[0].endswith(" and 3 more")


@pytest.mark.parametrize("packet", [0, 1])
def test_no_advice_to_use_what_is_not_there(tmp_path, packet):
    path = write_video(tmp_path / "a.avi", drifting(40), codec="mjpeg", pixels="yuvj420p")
    damage(path, packet)
    with pytest.raises(ValueError, match=r"set prepare_dataset\.video\.damaged to skip to leave") as error:
        read(path)
    assert "max_frames" not in str(error.value)  # a video needs two frames
    assert len(read(path, damaged="skip")[0]) == 39


def test_a_video_that_is_damaged_throughout_says_how_much_was_left_out(tmp_path):
    path = write_video(tmp_path / "a.avi", drifting(10), codec="mjpeg", pixels="yuvj420p")
    for packet in range(10):
        damage(path, packet)
    with pytest.raises(
        ValueError, match=r"has 0 frames; .*; 10 damaged frames left out, 1 gap: at the beginning"
    ):
        read(path, damaged="skip")


def test_a_damaged_picture_of_a_folder_is_left_out_alike(tmp_path):
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), grey(number))
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"2\.png is truncated"):
        read(tmp_path)
    frames, noticed = read(tmp_path, damaged="skip")
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 1, 3, 4]
    assert [frame.follows_gap for frame in frames] == [False, False, True, False]
    assert noticed.notes() == (
        "1 damaged frame left out, 1 gap: 2.png (is truncated: its 40 bytes lack the end)",
    )
