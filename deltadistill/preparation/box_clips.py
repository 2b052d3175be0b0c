"""Clips with boxes on their way from a reader to the manifest: checked, and their box files written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deltadistill.data.box_files import write_box_file
from deltadistill.data.boxes import Objects
from deltadistill.data.manifest import Frame


@dataclass(frozen=True)
class BoxClip:
    """Consecutive pictures of one `size` (height, width), each with its objects; a still is a clip of one."""

    name: str
    split: str
    size: tuple[int, int]
    images: tuple[Path, ...]
    objects: tuple[Objects, ...]

    def write(self, folder: Path, classes: Sequence[str]) -> list[Frame]:
        """Write the clip's box file below `folder`; its rows of the manifest."""
        path = folder / "boxes" / self.split / f"{self.name}.json"
        write_box_file(path, dict(enumerate(self.objects)), size=self.size, classes=classes)
        return [
            Frame(self.name, index, self.split, image, boxes=path) for index, image in enumerate(self.images)
        ]


def held_back(videos: Iterable[str], every: int, faults: list[str]) -> set[str]:
    """Names of every `every`-th video to train on, by name: they are tuned on instead."""
    names = sorted(videos)
    if len(names) == 1:
        faults.append("1 video to train on, none left to tune on; name what to tune on")
    return set(names[every - 1 :: every] or names[-1:])
