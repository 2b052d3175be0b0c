"""Writes generated videos of minutes as files, and says as rows of a manifest what was written.

streams/<split>/<stream>/<frame>.png           every frame
streams/<split>/<stream>/<frame>_labels.png    label ids, of every labelled frame
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from deltadistill.data.manifest import SPLITS, Frame
from deltadistill.preparation.stored_png import write_png
from deltadistill.preparation.street.long_clip import Course, render_long
from deltadistill.preparation.workers import spread_out

RATE = 10.0  # frames per second, what the paces in rides.py are for


@dataclass(frozen=True)
class StreamJob:
    """One video to write; picklable, so that any process can do it.

    number: among the videos of this name, which differ. labelled_every: the last of every so many frames has
    a label, so that sequences that end there have frames before it.
    """

    root: Path
    split: str
    name: str
    number: int
    frames: int
    labelled_every: int
    course: Course
    height: int
    width: int
    seed: int
    noise: float

    @property
    def key(self) -> tuple[int, ...]:
        """Of its draws: seed, split, the name's bytes and the number, so that no other stream matters."""
        return self.seed, SPLITS.index(self.split), *self.name.encode(), self.number

    @property
    def clip(self) -> str:
        """The name of the clip."""
        return f"{self.name}_{self.number:03d}"


def write_streams(
    jobs: Iterable[StreamJob], *, workers: int, progress: Callable[[int], object] = lambda frames: None
) -> list[Frame]:
    """Write videos; `progress` is called with frames just written. Returns the rows of all their frames.

    Equal jobs give equal files, whatever `workers` is. Memory does not grow with a video's length.
    """
    rows: list[Frame] = []
    for written in spread_out(write_stream, jobs, workers=workers):
        rows += written
        progress(len(written))
    return rows


def write_stream(job: StreamJob) -> list[Frame]:
    """Render and write one video; returns its rows."""
    folder = job.root / "streams" / job.split / job.clip
    folder.mkdir(parents=True, exist_ok=True)
    rendered = render_long(job.key, job.course, height=job.height, width=job.width, noise=job.noise)
    rows = []
    for index, frame in enumerate(islice(rendered, job.frames)):
        image, label = folder / f"{index:06d}.png", None
        write_png(image, frame.image)
        if (index + 1) % job.labelled_every == 0:
            label = folder / f"{index:06d}_labels.png"
            write_png(label, frame.label_ids)
        rows.append(Frame(job.clip, index, job.split, image, label, origin="generated", seconds=index / RATE))
    return rows
