"""Written videos: times, size, sound, and files that play however they ended."""

from fractions import Fraction
from itertools import count

import av
import numpy as np
import pytest
from preparation.small_videos import drifting, grey, sound_of, with_sound, write_video

from deltadistill.video.json_lines import JsonLines
from deltadistill.video.sound import Sound
from deltadistill.video.video_source import read_video
from deltadistill.video.writer import VideoWriter


def written(path, frames, times, **options):
    with VideoWriter(path, **options) as writer:
        for frame, seconds in zip(frames, times, strict=False):
            writer.write(frame, seconds)
    return list(read_video(path, fewest=1))


def length(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float(stream.duration * stream.time_base)


@pytest.mark.parametrize("size", [(48, 64), (47, 64), (48, 63), (33, 47)])
def test_the_size_is_the_sources_own_odd_or_even(tmp_path, size):
    frames = drifting(6, size)
    found = written(tmp_path / "out.mp4", frames, [n / 25 for n in range(6)])
    assert {frame.pixels.shape for frame in found} == {(*size, 3)}
    assert np.abs(found[3].pixels.astype(int) - frames[3]).mean() < 6


@pytest.mark.parametrize("colour", [(220, 40, 60), (20, 200, 40), (250, 250, 250), (3, 3, 3)])
def test_colours_come_back_and_the_file_says_which_they_are(tmp_path, colour):
    found = written(tmp_path / "out.mp4", [np.full((48, 64, 3), colour, np.uint8)] * 2, [0, 0.04])
    assert found[0].pixels[20, 20].tolist() == pytest.approx(colour, abs=4)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range) == (1, 1)  # BT.709, 16 to 235


def test_uneven_times_stay_as_they_are_from_the_first_frame_on(tmp_path):
    times = [7.5, 7.54, 7.7, 7.74, 9.0]
    found = written(tmp_path / "out.mp4", drifting(5), times)
    assert [frame.seconds - found[0].seconds for frame in found] == pytest.approx(
        [seconds - 7.5 for seconds in times], abs=1e-4
    )


def test_minutes_at_film_rate_are_as_long_as_the_source_within_a_frame(tmp_path):
    rate, number = Fraction(24000, 1001), 4000  # 167 s
    written(
        tmp_path / "out.mp4",
        [grey(n % 200, (16, 16)) for n in range(number)],
        [n / rate for n in range(number)],
    )
    assert abs(length(tmp_path / "out.mp4") - number / rate) < 1 / rate


def test_times_a_millisecond_apart_stay_as_they_are(tmp_path):
    times = [0.0, 0.04, 0.041, 0.042, 0.2]
    found = written(tmp_path / "out.mp4", drifting(5), times)
    assert [frame.seconds for frame in found] == pytest.approx(times, abs=1e-4)


def test_without_times_frames_are_a_25th_of_a_second_apart(tmp_path):
    found = written(tmp_path / "out.mp4", drifting(4), [None] * 4)
    assert [frame.seconds for frame in found] == pytest.approx([0, 0.04, 0.08, 0.12])


def test_times_that_do_not_rise_still_make_a_file_of_all_frames(tmp_path):
    found = written(tmp_path / "out.mp4", drifting(5), [0.0, 0.04, 0.04, 0.02, 0.3])
    assert [frame.seconds for frame in found] == pytest.approx([0, 0.04, 0.08, 0.12, 0.3], abs=1e-4)


def test_frames_of_another_size_are_scaled_to_the_first_and_counted(tmp_path):
    with VideoWriter(tmp_path / "out.mp4") as writer:
        for place, frame in enumerate([*drifting(2), *drifting(2, (24, 32))]):
            writer.write(frame, place / 25)
    assert writer.resized == 2
    assert {frame.pixels.shape for frame in read_video(tmp_path / "out.mp4")} == {(48, 64, 3)}


def test_a_file_that_is_broken_off_by_an_error_plays(tmp_path):
    def frames():
        yield from drifting(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "out.mp4", frames(), count(0.0, 0.04))
    assert len(list(read_video(tmp_path / "out.mp4"))) == 5


def test_no_frame_no_file(tmp_path):
    with VideoWriter(tmp_path / "out.mp4"):
        pass
    assert not list(tmp_path.iterdir())


def test_an_unknown_suffix_is_refused_and_folders_are_made(tmp_path):
    with pytest.raises(ValueError, match=r"out\.webm: videos are written as \.mp4, \.mov, \.mkv"):
        VideoWriter(tmp_path / "out.webm")
    assert len(written(tmp_path / "a" / "b" / "out.mkv", drifting(3), [0, 0.04, 0.08])) == 3


@pytest.mark.parametrize(
    ("codec", "name"), [("aac", "film.mp4"), ("pcm_s16le", "film.avi"), ("aac", "film.mkv")]
)
def test_sound_is_copied_and_as_long_as_the_film(tmp_path, codec, name):
    source = with_sound(tmp_path / name, codec=codec)
    frames = list(read_video(source))
    written(
        tmp_path / "out.mp4", [f.pixels for f in frames], [f.seconds for f in frames], sound=Sound(source)
    )
    kind, begin, end = sound_of(tmp_path / "out.mp4")
    assert kind == "aac"
    assert (begin, end) == pytest.approx((0, 2), abs=0.15)


def test_sound_of_what_was_not_taken_is_left_out(tmp_path):
    source = with_sound(tmp_path / "film.mp4")
    frames = list(read_video(source))[:20]
    written(
        tmp_path / "out.mp4", [f.pixels for f in frames], [f.seconds for f in frames], sound=Sound(source)
    )
    assert sound_of(tmp_path / "out.mp4")[2] == pytest.approx(0.8, abs=0.15)


def test_a_file_without_sound_is_refused(tmp_path):
    path = write_video(tmp_path / "film.mp4", drifting(3))
    with pytest.raises(ValueError, match=r"film\.mp4 has no sound; leave --sound out"):
        Sound(path)


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    lines = JsonLines(tmp_path / "out.jsonl")
    monkeypatch.setattr("deltadistill.video.json_lines.json.dumps", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*out\.jsonl'"):
        lines.write(0, 0.0, {})
    lines.close()


def test_lines_are_there_as_soon_as_they_are_written(tmp_path):
    with JsonLines(tmp_path / "a" / "out.jsonl") as lines:
        lines.write(3, 0.1234567, {"key": True})
        lines.write(4, None, {"name": "Füße"})
        text = lines.path.read_text(encoding="utf-8")
    assert text.splitlines() == [
        '{"frame": 3, "seconds": 0.123457, "key": true}',
        '{"frame": 4, "seconds": null, "name": "Füße"}',
    ]
