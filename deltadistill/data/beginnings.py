"""The beginnings of a data set's test videos, as what may be learnt from before they are judged."""

from dataclasses import replace

from deltadistill.data.manifest import Manifest


def beginnings(manifest: Manifest, frames: int) -> Manifest:
    """The first `frames` frames of every test clip as the train split, and again as the tune split.

    Nothing that they are annotated with comes along, so that no label of the test split can be looked at.
    """
    first = [frame for clip in manifest.clips("test").values() for frame in clip[:frames]]
    bare = {"label": None, "flow": None, "boxes": None, "target": None}
    return Manifest.of(
        (replace(frame, split=split, **bare) for split in ("train", "tune") for frame in first), manifest.info
    )
