import hashlib
import json

import cv2
import numpy as np

from deltadistill.preparation.street.clip import render_clip
from deltadistill.preparation.street.dataset import write_street

SIZE = {"frames": 3, "height": 48, "width": 96, "seed": 4, "noise": 0.03}


def digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(content(path)).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def content(path):
    """A file's bytes; of arrays their values, since the archive around them depends on Python's version."""
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path) as arrays:
        return b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays.files))


def test_any_number_of_workers_writes_the_same_files(tmp_path):
    clips = {"train": 2, "tune": 1, "test": 1}
    counted = []
    write_street(tmp_path / "one", clips, **SIZE, workers=1, progress=counted.append)
    write_street(tmp_path / "two", clips, **SIZE, workers=2, progress=counted.append)
    files = digests(tmp_path / "one")
    assert files == digests(tmp_path / "two")
    assert len(files) == 4 * (3 + 3 + 2 + 1)  # images, labels, flow from the second frame on, boxes
    assert counted == [3] * 8


def test_files_hold_the_same_on_every_machine(tmp_path):
    write_street(tmp_path, {"tune": 1}, **SIZE, workers=1)
    joined = json.dumps(digests(tmp_path)).encode()
    assert hashlib.sha256(joined).hexdigest() == KNOWN_FILES


def test_files_hold_what_was_rendered(tmp_path):
    write_street(tmp_path, {"test": 1}, **SIZE, workers=1)
    key = (4, 2, 0)
    rendered = list(render_clip(key, frames=3, height=48, width=96, noise=0.03))
    stem = "testtown_000000_000001"
    image = cv2.imread(str(tmp_path / f"leftImg8bit_sequence/test/testtown/{stem}_leftImg8bit.png"))
    assert np.array_equal(image[..., ::-1], rendered[1].image)
    label = tmp_path / f"gtFine/test/testtown/{stem}_gtFine_labelIds.png"
    assert np.array_equal(cv2.imread(str(label), cv2.IMREAD_UNCHANGED), rendered[1].label_ids)
    with np.load(tmp_path / f"flow/test/testtown/{stem}_flow.npz") as file:
        assert file["flow"].dtype == np.float16
        assert np.allclose(file["flow"], rendered[1].flow, rtol=1e-3, atol=1e-3)
        assert np.array_equal(file["valid"], rendered[1].valid)
    boxes = json.loads((tmp_path / "boxes/test/testtown/testtown_000000_boxes.json").read_text())
    assert boxes == {str(index): frame.boxes for index, frame in enumerate(rendered)}


def test_splits_share_no_clip(tmp_path):
    write_street(tmp_path, {"train": 1, "tune": 1, "test": 1}, **SIZE, workers=1)
    first = [digest for path, digest in digests(tmp_path).items() if path.endswith("000000_leftImg8bit.png")]
    assert len(set(first)) == 3


KNOWN_FILES = "58a213810f84cd64f3ff88ec469e7660e8b425e5c39fb0ab7120e34eaac1c930"
