"""Video as it comes: depths, chroma, ranges, fields, palettes, changes of size; files made here by PyAV."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from preparation.small_videos import drifting, write_video

from deltadistill.video.source import open_source

LEVELS = (30, 120, 220)


def read(path):
    return list(open_source(str(path)).frames())


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [
        ("libx264", "yuv420p10le", "mp4"),
        ("libx264", "yuv422p", "mkv"),
        ("libx264", "yuv444p", "mp4"),
        ("ffv1", "gray", "mkv"),
        ("ffv1", "yuva420p", "mkv"),
        ("ffv1", "gray16le", "mkv"),
        ("ffv1", "bgra", "mkv"),
        ("png", "rgb48be", "mov"),
        ("png", "rgba", "mov"),
        ("gif", "bgr8", "gif"),
        ("mjpeg", "yuvj420p", "avi"),
        ("mjpeg", "yuvj444p", "avi"),
        ("libvpx-vp9", "yuv420p", "webm"),
        ("huffyuv", "rgb24", "avi"),
    ],
)
def test_grey_levels_come_as_they_were_from_every_kind_of_pixels(tmp_path, codec, pixels, suffix):
    frames = [np.full((32, 48, 3), level, np.uint8) for level in LEVELS for _ in range(2)]
    path = write_video(tmp_path / f"film.{suffix}", frames, codec=codec, pixels=pixels)
    found = read(path)
    assert len(found) == 6
    assert [round(float(frame.pixels.mean())) for frame in found[::2]] == pytest.approx(LEVELS, abs=12)
    assert {frame.pixels.shape for frame in found} == {(32, 48, 3)}
    assert {frame.pixels.dtype for frame in found} == {np.dtype(np.uint8)}


def test_full_range_is_neither_darkened_nor_clipped(tmp_path):
    frames = [np.full((32, 48, 3), level, np.uint8) for level in (4, 250)]
    path = write_video(tmp_path / "film.avi", frames, codec="mjpeg", pixels="yuvj420p")
    assert [round(float(frame.pixels.mean())) for frame in read(path)] == pytest.approx([4, 250], abs=3)


@pytest.mark.parametrize("size", [(31, 47), (1, 1), (2, 3)])
def test_odd_sizes_keep_every_row_and_column(tmp_path, size):
    frames = [np.full((*size, 3), level, np.uint8) for level in LEVELS]
    path = write_video(tmp_path / "film.mkv", frames, codec="ffv1", pixels="bgra")
    assert [frame.pixels[0, 0].tolist() for frame in read(path)] == [[level] * 3 for level in LEVELS]
    assert read(path)[0].pixels.shape == (*size, 3)


def test_an_interlaced_film_has_a_frame_for_both_its_fields(tmp_path):
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.options = {"flags": "+ildct+ilme"}
        for place, pixels in enumerate(drifting(6)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert len(read(tmp_path / "film.mp4")) == 6


def test_frames_after_a_change_of_size_come_in_their_own(tmp_path):
    sizes = ((48, 64), (96, 128))
    parts = [
        write_video(tmp_path / f"{n}.ts", drifting(5, size), codec="libx264") for n, size in enumerate(sizes)
    ]
    joined = tmp_path / "film.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    shapes = [frame.pixels.shape[:2] for frame in read(joined)]
    assert shapes == [(48, 64)] * 5 + [(96, 128)] * 5


def test_an_animation_with_a_palette_has_its_own_times(tmp_path):
    path = write_video(
        tmp_path / "film.gif", drifting(4), codec="gif", pixels="bgr8", rate=100, times=[0, 10, 40, 50]
    )
    assert [frame.seconds for frame in read(path)] == pytest.approx([0, 0.1, 0.4, 0.5])


@pytest.mark.parametrize(
    ("suffix", "pixels"),
    [
        (".png", np.full((8, 12), 40000, np.uint16)),
        (".png", np.full((8, 12, 3), 40000, np.uint16)),
        (".tif", np.full((8, 12, 3), 40000, np.uint16)),
        (".png", np.full((8, 12, 4), 156, np.uint8)),
        (".jpg", np.full((8, 12), 156, np.uint8)),
    ],
)
def test_pictures_of_16_bits_with_alpha_or_grey_come_in_8_bits_and_three_colours(tmp_path, suffix, pixels):
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"frame_{number}{suffix}"), pixels)
    found = read(tmp_path)
    assert {(frame.pixels.shape, frame.pixels.dtype.name) for frame in found} == {((8, 12, 3), "uint8")}
    assert float(found[0].pixels.mean()) == pytest.approx(156, abs=2)


def test_pictures_in_the_colours_of_print_come_in_those_of_screens(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="an optional package")
    for number in range(2):
        image.new("CMYK", (12, 8), (0, 255, 255, 0)).save(tmp_path / f"frame_{number}.jpg")  # red
    red, green, blue = read(tmp_path)[0].pixels.reshape(-1, 3).mean(0)
    assert red > 150
    assert max(green, blue) < 100


def test_pictures_are_turned_as_their_camera_noted(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="an optional package")
    for number in range(2):
        picture = image.new("RGB", (12, 8), (0, 0, 0))
        exif = picture.getexif()
        exif[0x0112] = 6  # a quarter turn
        picture.save(tmp_path / f"frame_{number}.jpg", exif=exif)
    assert {frame.pixels.shape for frame in read(tmp_path)} == {(12, 8, 3)}


@pytest.mark.parametrize(
    "name", ["a film:1.mp4", "fílm ü.mp4", "-film.mp4", "100%.mp4", "a'b\"c.mp4", "x?y#z.mp4"]
)
def test_a_path_may_have_any_characters(tmp_path, name):
    assert len(read(write_video(tmp_path / name, drifting(3)))) == 3


def test_frame_2_comes_before_frame_10(tmp_path):
    for number in (10, 2, 6):
        cv2.imwrite(str(tmp_path / f"frame_{number}.png"), np.full((8, 12, 3), number, np.uint8))
    assert [int(frame.pixels[0, 0, 0]) for frame in read(tmp_path)] == [2, 6, 10]


@pytest.mark.parametrize("frames", [1, 7, 200])
def test_a_header_that_promises_another_number_of_frames_is_not_believed(tmp_path, frames):
    path = write_video(tmp_path / "film.avi", drifting(7), codec="mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"strh") + 8 + 32  # the length of the stream
    data[place : place + 4] = frames.to_bytes(4, "little")
    path.write_bytes(data)
    assert len(read(path)) == 7
