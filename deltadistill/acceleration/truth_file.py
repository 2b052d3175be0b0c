"""Ground truth from what a user names: MOT text, COCO JSON, or a folder of label images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deltadistill.acceleration.coco_truth import read_coco
from deltadistill.acceleration.frame_names import frame_of
from deltadistill.acceleration.label_truth import read_label_images
from deltadistill.acceleration.mot_truth import read_mot
from deltadistill.acceleration.truth import Truth
from deltadistill.data.digest import content_digest


def open_truth(name: str, *, videos: Sequence[str], categories: Sequence[str] = ()) -> Truth:
    """A folder: label images; .json: COCO; all else: MOT text.

    videos: what it is the truth of; categories: the network's names of classes.
    Raises ValueError with the name for what cannot be read, and for several videos; FileNotFoundError.
    """
    if len(videos) != 1:
        raise ValueError(
            f"{name} is the truth of one video, and {len(videos)} are given; give that one alone"
        )
    path = Path(name).expanduser()
    if path.is_dir():
        images = read_label_images(path, frame_of(videos[0]))
        return replace(images, digest=content_digest(images.files.values(), path.absolute()))
    is_coco = path.suffix.lower() == ".json"
    boxes = read_coco(path, categories, frame_of(videos[0])) if is_coco else read_mot(path, categories)
    return replace(boxes, digest=content_digest([path], path.absolute().parent))
