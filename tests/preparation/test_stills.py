"""Pictures in known layouts: STL-10's binary files, Fashion-MNIST's idx files, and generated objects."""

import gzip
import struct

import cv2
import numpy as np
import pytest

from deltadistill.preparation.fashion_mnist import NAMES, fashion_mnist_to_folders
from deltadistill.preparation.stl10 import FOLDER, stl10_to_folders, write_stl10
from deltadistill.preparation.street import objects


def read_rgb(path):
    return cv2.imread(str(path))[..., ::-1]


def no_progress(pictures):
    return None


@pytest.fixture
def stl10(tmp_path):
    """Two classes; two pictures to train on, one to test on."""
    pictures = np.random.default_rng(0).integers(0, 255, (3, 96, 96, 3), np.uint8)
    write_stl10(
        tmp_path,
        ["bird", "cat"],
        {"train": (pictures[:2], np.array([1, 0])), "test": (pictures[2:], np.array([1]))},
    )
    return tmp_path, pictures


def test_the_layout_is_columns_first_and_classes_from_1(stl10):
    root, pictures = stl10
    data = np.frombuffer((root / FOLDER / "train_X.bin").read_bytes(), np.uint8)
    assert data[:2].tolist() == [pictures[0, 0, 0, 0], pictures[0, 1, 0, 0]]  # red, down the first column
    assert data[96 * 96] == pictures[0, 0, 0, 1]
    assert (root / FOLDER / "train_y.bin").read_bytes() == bytes([2, 1])


def test_torchvision_reads_them_back_into_folders_of_classes(stl10, tmp_path):
    root, pictures = stl10
    stl10_to_folders(root, tmp_path / "out", progress=no_progress)
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png"))
    assert found == ["test/cat/00000.png", "train/bird/00001.png", "train/cat/00000.png"]
    assert np.array_equal(read_rgb(tmp_path / "out/train/cat/00000.png"), pictures[0])
    assert np.array_equal(read_rgb(tmp_path / "out/train/bird/00001.png"), pictures[1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train_X.bin", lambda data: data[:-1], r"train_X\.bin: truncated: 55295 bytes; expected 55296"),
        ("train_X.bin", lambda data: data + b"0", r"55297 bytes; expected 55296 for the 2 classes beside it"),
        ("test_X.bin", lambda data: data[:9216], "1 pictures of one channel; grey ones"),
        ("test_y.bin", lambda data: b"\x03", r"has classes \[3\]; expected 1 to 2"),
        ("class_names.txt", lambda data: b"../up\ncat\n", r"names classes \['\.\./up'\]"),
        ("class_names.txt", lambda data: b"cat\ncat\n", "names a class twice"),
        ("test_y.bin", None, r"test_y\.bin is missing"),
        ("class_names.txt", None, "root must hold stl10_binary/"),
    ],
)
def test_what_is_wrong_with_binary_files_is_named_before_anything_is_written(
    stl10, tmp_path, name, content, message
):
    path = stl10[0] / FOLDER / name
    path.write_bytes(content(path.read_bytes())) if content else path.unlink()
    with pytest.raises(ValueError, match=message):
        stl10_to_folders(stl10[0], tmp_path / "out", progress=no_progress)
    assert not (tmp_path / "out").exists()


def idx(*shape, code=0x08):
    data = np.arange(np.prod(shape), dtype=np.uint8).tobytes()
    return struct.pack(f">{1 + len(shape)}I", code << 8 | len(shape), *shape) + data


@pytest.fixture
def fashion(tmp_path):
    for name in ("train", "t10k"):
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(2, 28, 28))
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(2)))
    return tmp_path


def test_idx_files_become_folders_and_grey_three_equal_channels(fashion, tmp_path):
    fashion_mnist_to_folders(fashion, tmp_path / "out", progress=no_progress)
    found = sorted(path.parent.name for path in (tmp_path / "out/train").rglob("*.png"))
    assert found == sorted(NAMES[:2])
    picture = read_rgb(tmp_path / "out/test" / NAMES[1] / "00001.png")
    assert picture.shape == (28, 28, 3)
    assert picture[0, 5].tolist() == [(784 + 5) % 256] * 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", idx(2, 28, 28)[:-1], "is truncated: 1583 bytes; expected 1584"),
        ("train-images-idx3-ubyte", idx(2, 28, 28) + b"0", "is too long: 1585 bytes"),
        ("train-images-idx3-ubyte", b"\0\0", "is truncated: 2 bytes, less than its head"),
        ("train-images-idx3-ubyte", idx(2, 3, 28, 28), r"is no idx file of uint8 \('N', 28, 28\)"),
        ("train-images-idx3-ubyte", idx(3, 28, 28), "3 pictures and 2 classes of train"),
        ("t10k-labels-idx1-ubyte.gz", b"no gzip", "cannot be read"),
        ("t10k-labels-idx1-ubyte", idx(12), "t10k has class 11; expected 0 to 9"),
        ("train-labels-idx1-ubyte.gz", None, r"is missing, with \.gz and without"),
    ],
)
def test_what_is_wrong_with_idx_files_is_named(fashion, tmp_path, name, content, message):
    path = fashion / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        fashion_mnist_to_folders(fashion, tmp_path / "out", progress=no_progress)


def test_objects_are_in_the_layout_and_a_function_of_the_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(objects, "_HEIGHT", 128)
    monkeypatch.setattr(objects, "_WIDTH", 256)
    given = {"seed": 1, "noise": 0.02, "workers": 1, "progress": no_progress}
    for name in ("a", "b"):
        objects.write_objects(tmp_path / name, {"train": 1, "test": 1}, **given)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 5
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    stl10_to_folders(tmp_path / "a", tmp_path / "out", progress=no_progress)
    assert sorted(path.name for path in (tmp_path / "out/train").iterdir()) == sorted(objects.NAMES)
    train, test = (tmp_path / "a" / FOLDER / f"{split}_X.bin" for split in ("train", "test"))
    assert train.read_bytes() != test.read_bytes()


def test_the_square_around_a_box_lies_in_its_middle_and_repeats_the_edge():
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, :30] = 200
    cut = objects._cut(image, (10, 5, 50, 35))  # 40 wide: a square of 48 around (30, 20)
    assert cut.shape == (96, 96, 3)
    assert (cut[:, :44].min(), cut[:, 52:].max()) == (200, 0)
