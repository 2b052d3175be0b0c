"""Sizes, ends and pixels of picture files, of every kind that is read."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from deltadistill.data import picture
from deltadistill.data.picture import decode_picture
from deltadistill.data.picture_end import has_end, png_has_end, png_parts_fit
from deltadistill.data.picture_size import is_animated_webp, picture_size

SIZE = 300, 523  # height and width: both need two bytes, and share none


def pixels(height=SIZE[0], width=SIZE[1]):
    """Every pixel and channel differs from its neighbours, without a symmetry."""
    row, column = np.mgrid[:height, :width]
    return np.stack([row % 251, column % 241, (row + 2 * column) % 239], axis=-1).astype(np.uint8)


def encoded(kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, kind, **options)
    return file.getvalue()


def tiff(order, kind):
    """A directory of three entries, in which the size comes second and last; nothing after it."""
    sign, (height, width) = {"<": b"II*\0", ">": b"MM\0*"}[order], SIZE
    value = {3: "HH", 4: "I"}[kind]

    def entry(tag, number):
        return struct.pack(f"{order}HHI{value}", tag, kind, 1, *([number, 0] if kind == 3 else [number]))

    entries = [entry(254, 0), entry(256, width), entry(257, height)]
    return sign + struct.pack(f"{order}I", 12) + b"\0" * 4 + struct.pack(f"{order}H", 3) + b"".join(entries)


def bmp(height, *, os2=False):
    if os2:
        return b"BM" + b"\0" * 12 + struct.pack("<IHH", 12, SIZE[1], height)
    return b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, SIZE[1], height)


def jpeg_with(parts):
    data = encoded("JPEG")
    return data[:2] + parts + data[2:]


HEADERS = {
    "png": lambda: encoded("PNG"),
    "jpeg": lambda: encoded("JPEG"),
    "progressive jpeg": lambda: encoded("JPEG", progressive=True),
    "jpeg with filling": lambda: jpeg_with(b"\xff\xff\xff\xfe\0\x04ab"),
    "jpeg with bare markers": lambda: jpeg_with(b"\xff\x01\xff\xd0\xff\xd8"),
    "jpeg with tables first": lambda: jpeg_with(
        b"".join(b"\xff%c\0\x0cabcdefghij" % marker for marker in (0xC4, 0xC8, 0xCC, 0xDB, 0xE0, 0xFE))
    ),
    "jpeg with an empty part": lambda: jpeg_with(b"\xff\xfe\0\x02"),
    "bmp": lambda: encoded("BMP"),
    "bmp from the top": lambda: bmp(-SIZE[0]),
    "bmp of OS/2": lambda: bmp(SIZE[0], os2=True),
    "webp": lambda: encoded("WEBP"),
    "lossless webp": lambda: encoded("WEBP", lossless=True),
    "extended webp": lambda: encoded("WEBP", exif=b"Exif\0\0" + b"\0" * 8),
    "tiff": lambda: encoded("TIFF"),
    "tiff, short, little": lambda: tiff("<", 3),
    "tiff, long, little": lambda: tiff("<", 4),
    "tiff, short, big": lambda: tiff(">", 3),
    "tiff, long, big": lambda: tiff(">", 4),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_height_and_width_stand_in_the_header(kind):
    assert picture_size(HEADERS[kind]()) == SIZE


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_is_cut_off_gives_no_size(kind):
    data = HEADERS[kind]()
    whole = next(length for length in range(len(data) + 1) if picture_size(data[:length]) == SIZE)
    assert {picture_size(data[:length]) for length in range(whole)} == {None}


@pytest.mark.parametrize("height", [1, 2, 255, 256, 16383])
def test_sizes_of_lossless_webp_are_packed_in_bits(height):
    bits = (700 - 1) | (height - 1) << 14 | 1 << 28  # the last bit: with an alpha channel
    data = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", bits)
    assert picture_size(data) == (height, 700)


@pytest.mark.parametrize("size", [(1, 70_001), (66_000, 3), (2**24, 2**24)])
def test_sizes_of_extended_webp_have_three_bytes_each(size):
    height, width = ((side - 1).to_bytes(3, "little") for side in size)
    assert picture_size(b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + width + height) == size


@pytest.mark.parametrize(
    "marker", [*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xCD, 0xCE, 0xCF]
)
def test_the_size_stands_in_every_kind_of_jpeg_frame(marker):
    data = encoded("JPEG")
    start = data.index(b"\xff\xc0")
    assert picture_size(data[:start] + bytes([0xFF, marker]) + data[start + 2 :]) == SIZE


def test_the_scale_of_lossy_webp_is_no_part_of_its_size():
    data = b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 700 | 1 << 14, 300 | 3 << 14)
    assert picture_size(data) == (300, 700)


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a" + b"\1" * 40, b"RIFF\0\0\0\0WAVE" + b"\1" * 40, b"RIFF\0\0\0\0WEBPVP9 " + b"\1" * 40],
)
def test_what_is_no_picture_of_a_known_format_has_no_size(data):
    assert picture_size(data) is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_has_its_end_until_a_byte_of_it_is_missing(kind):
    data = encoded(kind)
    assert has_end(data)
    assert has_end(data + b"\0" * 50)  # some programs leave a few bytes behind it
    assert not has_end(data[:-1])
    assert not has_end(data[: len(data) // 2])
    assert has_end(b"BM" + data[2:-9])  # other formats have no mark


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture():
    thumbnail = encoded("JPEG")
    part = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    assert has_end(jpeg_with(part))
    assert not has_end(jpeg_with(part)[:-2])


def test_the_parts_of_a_png_must_fit_up_to_its_end():
    data = encoded("PNG")
    start = data.index(b"IDAT") - 4
    length = int.from_bytes(data[start : start + 4], "big")
    assert png_parts_fit(data)
    assert png_parts_fit(data + b"\0" * 50)
    assert not png_parts_fit(data[:-1])
    assert not png_parts_fit(data[:-12])
    for wrong in (length - 1, length + 1, 2**31 - 1):
        assert not png_parts_fit(data[:start] + wrong.to_bytes(4, "big") + data[start + 4 :])
    assert png_parts_fit(b"BM" + data)


def test_the_end_of_a_png_file_is_its_last_bytes(tmp_path):
    path = tmp_path / "a.png"
    for content, whole in ((encoded("PNG"), True), (encoded("PNG")[:-1], False), (b"", False)):
        path.write_bytes(content)
        assert png_has_end(path) == whole


def test_pixels_come_out_as_they_went_in_blue_first(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG"))
    for size in (None, SIZE):
        assert np.array_equal(decode_picture(path, cv2.IMREAD_COLOR, size=size), pixels()[..., ::-1])
    for size in (SIZE[::-1], (SIZE[0], SIZE[1] + 1), (SIZE[0] - 1, SIZE[1])):
        with pytest.raises(ValueError, match=rf"is 300×523; its data set is {size[0]}×{size[1]}"):
            decode_picture(path, cv2.IMREAD_COLOR, size=size)


@pytest.mark.parametrize(
    ("size", "fits"), [((3, 4), True), ((12, 1), True), ((1, 13), False), ((13, 1), False)]
)
def test_the_number_of_pixels_is_bounded_whichever_side_is_the_long_one(tmp_path, monkeypatch, size, fits):
    monkeypatch.setattr(picture, "MOST_PIXELS", 12)
    path = tmp_path / "a.png"
    Image.fromarray(pixels(*size)).save(path)
    if fits:
        assert decode_picture(path, cv2.IMREAD_COLOR).shape == (*size, 3)
    else:
        with pytest.raises(ValueError, match=rf"is {size[0]}×{size[1]}; pictures of 1 to 12 pixels"):
            decode_picture(path, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_a_picture_without_a_pixel_is_refused(tmp_path, size):
    path, (height, width) = tmp_path / "a.png", size
    path.write_bytes(encoded("PNG")[:16] + struct.pack(">II", width, height))
    with pytest.raises(ValueError, match=rf"is {height}×{width}; pictures of 1 to"):
        decode_picture(path, cv2.IMREAD_COLOR)


def test_the_bytes_of_a_file_are_bounded(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG"))
    monkeypatch.setattr(picture, "MOST_PICTURE_BYTES", path.stat().st_size)
    decode_picture(path, cv2.IMREAD_COLOR)
    monkeypatch.setattr(picture, "MOST_PICTURE_BYTES", path.stat().st_size - 1)
    with pytest.raises(ValueError, match="has more than the"):
        decode_picture(path, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("turned", [False, True])
def test_a_jpeg_may_be_turned_by_what_its_camera_noted(tmp_path, turned):
    path, exif = tmp_path / "a.jpg", Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    path.write_bytes(encoded("JPEG", exif=exif))
    mode = cv2.IMREAD_COLOR if turned else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    assert decode_picture(path, mode).shape[:2] == (SIZE[::-1] if turned else SIZE)
    if turned:
        with pytest.raises(ValueError, match="is 523×300; its data set is 300×523"):
            decode_picture(path, mode, size=SIZE)


def test_the_end_of_a_png_may_have_up_to_56_bytes_behind_it():
    whole = cv2.imencode(".png", np.zeros((3, 4, 3), np.uint8))[1].tobytes()
    assert [has_end(whole + bytes(padding)) for padding in (0, 55, 56, 57)] == [True, True, True, False]


def test_a_webp_is_animated_where_its_flags_are_there_and_say_so():
    head = b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes([10, 0, 0, 0])
    assert len(head) == 20
    assert [is_animated_webp(head + flags) for flags in (b"", b"\x02", b"\x12", b"\x10")] == [
        *(False, True, True, False)
    ]
