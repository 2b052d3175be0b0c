import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from deltadistill.preparation.encoded_picture import write_picture

PIXELS = np.array([[[255, 0, 0], [0, 128, 0], [0, 0, 7]]], np.uint8)  # RGB


def test_the_pixels_come_back_red_first(tmp_path):
    write_picture(tmp_path / "new/folder/a.png", PIXELS)
    assert np.array_equal(cv2.imread(str(tmp_path / "new/folder/a.png"))[..., ::-1], PIXELS)


def test_the_suffix_and_the_options_decide_what_is_written(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    for name, quality in (("good.JPEG", 95), ("bad.JPEG", 5)):
        write_picture(tmp_path / name, noise, [cv2.IMWRITE_JPEG_QUALITY, quality])
    good, bad = (tmp_path / name for name in ("good.JPEG", "bad.JPEG"))
    assert good.read_bytes()[:2] == bad.read_bytes()[:2] == b"\xff\xd8"
    assert good.stat().st_size > 2 * bad.stat().st_size


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_a_full_disk_is_an_error(tmp_path):
    os.symlink("/dev/full", tmp_path / "a.JPEG")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_picture(tmp_path / "a.JPEG", PIXELS)
