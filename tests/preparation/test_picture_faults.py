import cv2
import numpy as np
import pytest

from deltadistill.preparation.picture_faults import picture_fault

NOISE = np.random.default_rng(0).integers(0, 256, (180, 200, 3), np.uint8)


@pytest.fixture(params=["a.JPEG", "a.png"])
def picture(tmp_path, request):
    cv2.imwrite(str(tmp_path / request.param), NOISE)
    return tmp_path / request.param


def test_a_whole_picture_has_no_fault(picture):
    assert picture.stat().st_size > 1 << 15  # more than is read of it
    assert picture_fault(picture, (180, 200)) is None


def test_padding_after_the_end_is_no_fault(picture):
    picture.write_bytes(picture.read_bytes() + b"\0" * 20)
    assert picture_fault(picture, (180, 200)) is None


def test_truncated_pictures_are_found(picture):
    picture.write_bytes(picture.read_bytes()[:-30])
    assert "is truncated" in picture_fault(picture, (180, 200))
    picture.write_bytes(picture.read_bytes()[:20000])
    assert "is truncated: 20000 bytes without an end" in picture_fault(picture, (180, 200))


def test_small_truncated_pictures_are_found(tmp_path):
    cv2.imwrite(str(tmp_path / "b.JPEG"), NOISE[:16, :16])
    content = (tmp_path / "b.JPEG").read_bytes()
    (tmp_path / "b.JPEG").write_bytes(content[:-10])
    assert "is truncated" in picture_fault(tmp_path / "b.JPEG", (16, 16))


def test_other_sizes_and_files_that_are_no_pictures_are_found(picture, tmp_path):
    assert "is 180×200; expected 200×180" in picture_fault(picture, (200, 180))
    (tmp_path / "c.JPEG").write_bytes(b"nonsense")
    assert "is not a picture" in picture_fault(tmp_path / "c.JPEG", (1, 1))
    assert picture_fault(tmp_path / "d.JPEG", (1, 1)).endswith("d.JPEG is missing")
