"""Videos that lie on a disk, as sources: whole, in order, with what is damaged left out and told."""

from collections.abc import Iterator
from contextlib import closing

import av

from deltadistill.video.main_stream import main_stream
from deltadistill.video.picture_folder import sort_pictures_anyhow
from deltadistill.video.source import Patience
from deltadistill.video.video_frame import Noticed, VideoFrame
from deltadistill.video.video_length import announced
from deltadistill.video.video_place import find_video
from deltadistill.video.video_source import OPENING, read_video


class StoredSource:
    """A file or a folder of pictures; nothing is dropped."""

    is_live = False
    dropped = 0
    returns = 0

    def __init__(self, name: str, patience: Patience):
        self.name = name
        self.path = find_video(name)
        self._noticed = Noticed()

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame that can be read; gaps before a frame are told by it."""
        options = {"damaged": "skip", "uneven": "keep", "fewest": 1, "noticed": self._noticed}
        with closing(read_video(self.path, **options)) as frames:
            yield from frames

    def expected(self) -> int | None:
        """As the header says it, or as many pictures as there are."""
        if self.path.is_dir():
            return len(sort_pictures_anyhow(self.path))
        try:
            with av.open(f"file:{self.path}", options=OPENING, metadata_errors="replace") as container:
                stream = main_stream(container)
                said = announced(container, stream) if stream else None
        except av.FFmpegError:
            return None  # an animation, or a file that reading will tell of
        return (said.frames or round(said.seconds * said.rate) or None) if said else None

    def notes(self) -> tuple[str, ...]:
        """What was left out, and which of several streams was taken."""
        return self._noticed.notes()

    def close(self) -> None:
        """Nothing is open between two frames but what `frames` closes itself."""
