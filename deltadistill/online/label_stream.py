"""Label maps of a video by a student that learns on the way, from a per-frame network in whatever engine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.models import jitnet
from deltadistill.online.settings import Settings
from deltadistill.online.stream import OnlineStream
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.tasks.task import Task


class LabelStudent(nn.Module):
    """JITNet, its logits at the size of the label maps that it learns.

    size: (height, width) of these. width, scale: of `models.jitnet.build`.
    """

    def __init__(self, classes: int, size: tuple[int, int], *, width: float = 1.0, scale: float = 1.0):
        super().__init__()
        self.classes, self.size, self.width, self.scale = classes, size, width, scale
        self.network = jitnet.build(classes=classes, width=width, scale=scale)

    def forward(self, frame: Tensor) -> Tensor:
        """Map normalised frames (N, 3, H, W) to logits (N, classes, height, width)."""
        logits = self.network(frame)
        if logits.shape[-2:] == self.size:
            return logits
        return F.interpolate(logits, self.size, mode="bilinear", align_corners=False)


class Labelling(nn.Module):
    """The per-frame network, in whatever engine, as the teacher of a stream: certain of the labels it gives.

    labels: gives those (h, w) of a picture uint8 (1, H, W, 3). `picture` is the one that is asked about.
    """

    def __init__(self, labels: Callable[[np.ndarray], np.ndarray], classes: int):
        super().__init__()
        self._labels, self._classes = labels, classes
        self.picture: np.ndarray | None = None

    def forward(self, frame: Tensor) -> Tensor:
        """One at the label of each place, and zero at all others: (1, classes, h, w)."""
        assert self.picture is not None
        labels = torch.from_numpy(np.asarray(self._labels(self.picture)).astype(np.int64))
        return F.one_hot(labels, self._classes).permute(2, 0, 1)[None].float()


class LabelStream:
    """Labels of one picture after another, of a student that learns on the way.

    student: copied, so that it stays as it is. labels: of the per-frame network, for a picture.
    to_frames: makes normalised frames (1, 3, H, W) of pictures (1, H, W, 3). threads: PyTorch's; None: as
    many as it has.
    """

    def __init__(
        self,
        student: LabelStudent,
        labels: Callable[[np.ndarray], np.ndarray],
        to_frames: Callable[[Tensor], Tensor],
        settings: Settings,
        *,
        threads: int | None = None,
    ):
        self._teacher, self._to_frames, self._threads = Labelling(labels, student.classes), to_frames, threads
        task = cast(Task, Segmentation(student.classes))  # what it says of its form is of the class
        self._stream = OnlineStream(student, task, teacher=self._teacher, settings=settings)

    @property
    def was_labelled(self) -> bool:
        """Whether the per-frame network answered the last picture."""
        return self._stream.is_labelled

    @property
    def stride(self) -> int:
        """Frames from the last labelled one to the next."""
        return self._stream.stride

    def __call__(self, picture: np.ndarray) -> Mapping[str, np.ndarray]:
        """The answer {"label_map": (h, w)} for a picture uint8 (1, H, W, 3)."""
        self._teacher.picture = picture
        with _threads(self._threads):
            logits = self._stream(self._to_frames(torch.from_numpy(picture)))
        return {"label_map": logits[0].max(0).indices.to(torch.uint8).numpy()}

    def ask_now(self) -> None:
        """Have the next picture labelled; what was learned stays."""
        self._stream.ask_now()

    def reset(self) -> None:
        """Forget what was learned."""
        self._stream.reset()


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """PyTorch with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
