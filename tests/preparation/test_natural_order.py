"""In every importer frames come in the order of their numbers, also where these get one digit more."""

import json

import cv2
import numpy as np
import pytest
from preparation import imagenet_layout

from deltadistill.data.label_table import table
from deltadistill.preparation.cityscapes import Layout, read_cityscapes
from deltadistill.preparation.coco_video import CocoFile, read_coco_video
from deltadistill.preparation.division import Division
from deltadistill.preparation.imagenet_vid import read_imagenet_vid
from deltadistill.preparation.masks import MaskFolders, read_masks
from deltadistill.preparation.video import extract_videos

SIZE = (12, 20)
COUNT = 12  # 2 and 9 come before 10 and 11
SPLITS = ("train", "tune", "test")


def picture(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*SIZE, 3), 20 * number, np.uint8))


def shown(frame):
    return round(cv2.imread(str(frame.image))[0, 0, 0] / 20)


def read_mask_folders(root):
    for split in SPLITS:
        for number in range(COUNT):
            picture(root / split / f"frames/{split}/frame_{number}.png", number)
            label = root / split / f"labels/{split}/frame_{number}.png"
            label.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(label), np.full(SIZE, 7, np.uint8))
    folders = {split: [MaskFolders(root / split / "frames", root / split / "labels")] for split in SPLITS}
    return read_masks(folders, kind="masks", classes=table("street_8"))


def read_coco(root):
    files = {}
    for split in SPLITS:
        images = [
            {
                "id": number, "file_name": f"{split}/{number}.png", "height": SIZE[0], "width": SIZE[1],
                "video_id": 1, "frame_id": number,
            }
            for number in range(COUNT)
        ]  # fmt: skip
        for number in range(COUNT):
            picture(root / split / f"{number}.png", number)
        content = {
            "videos": [{"id": 1, "name": split}],
            "categories": [{"id": 1, "name": "dog"}],
            "images": images,
            "annotations": [],
        }
        (root / f"{split}.json").write_text(json.dumps(content))
        files[split] = [CocoFile(root / f"{split}.json", root)]
    return read_coco_video(files, root / "out", kind="coco_video", size=SIZE)


def read_vid(root):
    for split in SPLITS:
        for number in range(COUNT):
            place = f"{split}/{split}/{number:06d}"
            path = imagenet_layout.add_picture(
                root, "VID", place, [imagenet_layout.thing((1, 2, 6, 8), track=0)]
            )
            picture(path, number)
        imagenet_layout.add_list(root, "VID", split, [f"{split}/{n:06d} {n + 1}" for n in range(COUNT)])
    return read_imagenet_vid(
        root, root / "out", kind="imagenet_vid", table=imagenet_layout.TABLE, size=SIZE,
        train=["train"], tune=["tune"], test=["test"], stills=[],
    )  # fmt: skip


def read_city(root):
    for split in SPLITS:
        for number in range(COUNT):
            name = f"{split}/{split}/{split}_000000_{number:06d}"
            picture(root / f"leftImg8bit_sequence/{name}_leftImg8bit.png", number)
        label = root / f"gtFine/{split}/{split}/{split}_000000_000004_gtFine_labelIds.png"
        label.parent.mkdir(parents=True)
        cv2.imwrite(str(label), np.full(SIZE, 7, np.uint8))
    return read_cityscapes(
        root, kind="cityscapes", classes=table("cityscapes_19"), layout=Layout(COUNT, 4),
        train=["train"], tune=["tune"], test=["test"],
    )  # fmt: skip


@pytest.mark.parametrize("importer", [read_mask_folders, read_coco, read_vid, read_city])
def test_the_frame_after_9_is_10(tmp_path, importer):
    manifest = importer(tmp_path)
    for split in SPLITS:
        [clip] = manifest.clips(split).values()
        assert [frame.index for frame in clip] == list(range(COUNT))
        assert [shown(frame) for frame in clip] == list(range(COUNT))


def test_the_picture_after_9_is_10_in_a_folder_that_is_a_video(tmp_path):
    for number in range(COUNT):
        picture(tmp_path / f"ride/frame_{number}.png", number)
    division, out = Division(0.34, 0.33, 2), tmp_path / "out"
    made = extract_videos(
        [str(tmp_path / "ride")], out, size=SIZE, division=division, scene_cut_threshold=1.0
    )
    assert [shown(frame) for frame in made.frames] == list(range(COUNT))


def test_labels_stay_with_their_frames(tmp_path):
    for frame in read_mask_folders(tmp_path).frames:
        assert frame.label.stem == frame.image.stem
