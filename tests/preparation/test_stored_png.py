import hashlib

import cv2
import numpy as np
import pytest
from PIL import Image

from deltadistill.preparation.stored_png import write_png


@pytest.mark.parametrize("shape", [(5, 7), (4, 6, 3), (1, 1), (200, 300, 3)])
def test_any_reader_gets_the_pixels_back(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / "a.png"
    write_png(path, pixels)
    with Image.open(path) as picture:
        assert np.array_equal(np.asarray(picture), pixels)
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read if read.ndim == 2 else read[..., ::-1], pixels)


def test_the_bytes_of_the_file_are_known(tmp_path):
    write_png(tmp_path / "a.png", np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    digest = hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert digest[:16] == KNOWN_FILE


@pytest.mark.parametrize("pixels", [np.zeros((2, 2), np.float32), np.zeros((2, 2, 4), np.uint8)])
def test_other_pixels_are_refused(tmp_path, pixels):
    with pytest.raises(ValueError, match="a PNG takes uint8"):
        write_png(tmp_path / "a.png", pixels)


KNOWN_FILE = "b6584210aa7efee3"
