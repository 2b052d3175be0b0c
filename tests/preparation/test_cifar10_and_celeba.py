"""The layouts of CIFAR-10 and CelebA, as small files."""

import cv2
import numpy as np
import pytest

from deltadistill.preparation.celeba import celeba_to_folders, middle
from deltadistill.preparation.cifar10 import FILES, FOLDER, cifar10_to_folders
from deltadistill.preparation.encoded_picture import write_picture


def no_progress(pictures):
    return None


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


@pytest.fixture
def cifar10(tmp_path):
    """A picture a file, whose class is the file's number."""
    pictures = np.random.default_rng(0).integers(0, 255, (6, 3, 32, 32), np.uint8)
    (tmp_path / FOLDER).mkdir()
    names = [name for names in FILES.values() for name in names]
    for number, (name, picture) in enumerate(zip(names, pictures, strict=True)):
        (tmp_path / FOLDER / name).write_bytes(bytes([number]) + picture.tobytes())
    return tmp_path, pictures


def test_records_become_folders_of_classes_with_colours_last(cifar10, tmp_path):
    root, pictures = cifar10
    cifar10_to_folders(root, tmp_path / "out", progress=no_progress)
    assert written(tmp_path / "out") == [
        "test/dog/00000.png",
        "train/airplane/00000.png",
        "train/automobile/00001.png",
        "train/bird/00002.png",
        "train/cat/00003.png",
        "train/deer/00004.png",
    ]
    read = cv2.imread(str(tmp_path / "out/train/bird/00002.png"))[..., ::-1]
    assert np.array_equal(read, pictures[2].transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda data: data[:-1], r"data_batch_2\.bin is truncated: 3072 bytes; expected a multiple of 3073"),
        (lambda data: b"", "is truncated: 0 bytes"),
        (lambda data: b"\x0a" + data[1:], "has class 10; expected 0 to 9"),
        (None, "data_batch_2.bin is missing; root must hold cifar-10-batches-bin/"),
    ],
)
def test_what_is_wrong_with_records_is_named_before_anything_is_written(cifar10, tmp_path, content, message):
    path = cifar10[0] / FOLDER / "data_batch_2.bin"
    path.write_bytes(content(path.read_bytes())) if content else path.unlink()
    with pytest.raises(ValueError, match=message):
        cifar10_to_folders(cifar10[0], tmp_path / "out", progress=no_progress)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def celeba(tmp_path):
    for number in range(3):
        picture = np.full((12, 8, 3), 10 * number, np.uint8)
        write_picture(tmp_path / f"img_align_celeba/{number}.png", picture)
    (tmp_path / "list_eval_partition.txt").write_text("0.png 0\n1.png 1\n2.png 2\n")
    return tmp_path


@pytest.mark.parametrize("form", ["txt", "csv"])
def test_the_list_divides_faces(celeba, tmp_path, form):
    if form == "csv":
        (celeba / "list_eval_partition.txt").unlink()
        (celeba / "list_eval_partition.csv").write_text("image_id,partition\n0.png,0\n1.png,1\n2.png,2\n")
    celeba_to_folders(celeba, tmp_path / "out", size=(4, 4), progress=no_progress)
    assert written(tmp_path / "out") == ["test/face/2.png", "train/face/0.png", "tune/face/1.png"]
    assert cv2.imread(str(tmp_path / "out/test/face/2.png")).tolist() == [[[20] * 3] * 4] * 4


def test_of_the_longer_side_the_middle_is_kept():
    rows = np.repeat(np.arange(6, dtype=np.uint8)[:, None, None] * 10, 4, 1).repeat(3, 2)
    assert middle(rows, (4, 4))[:, 0, 0].tolist() == [10, 20, 30, 40]
    assert middle(rows, (2, 2))[:, 0, 0].tolist() == [15, 35]
    assert middle(rows.transpose(1, 0, 2), (4, 4))[0, :, 0].tolist() == [10, 20, 30, 40]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (None, r"holds neither list_eval_partition\.txt nor list_eval_partition\.csv"),
        ("0.png 0\n1.png 1\n2.png 3\n", r"1 lines that are no picture and 0, 1 or 2, such as '2\.png 3'"),
        ("0.png 0\n1.png 1\n", "names no picture of test"),
        ("0.png 0\n1.png 1\n4.png 2\n", r"4\.png is missing"),
    ],
)
def test_what_is_wrong_with_the_list_is_named(celeba, tmp_path, listed, message):
    path = celeba / "list_eval_partition.txt"
    path.write_text(listed) if listed else path.unlink()
    with pytest.raises(ValueError, match=message):
        celeba_to_folders(celeba, tmp_path / "out", size=(4, 4), progress=no_progress)
    assert not (tmp_path / "out").exists()
