"""A stream that learns: the student answers frames, the teacher labels some, and from those it learns."""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.forward.outputs import frame_outputs
from deltadistill.online.goals import goals_of
from deltadistill.online.settings import Settings
from deltadistill.online.stride import Strides, Supervision
from deltadistill.online.students import DeltaStudent, NetworkStudent
from deltadistill.online.updates import Updated, update
from deltadistill.tasks.task import Task

_log = logging.getLogger(__name__)

KEPT_LESSONS = 4096
"""So many of the last lessons a stream remembers, for memory to stay as it is."""


@dataclass(frozen=True)
class Lesson:
    """What became of a frame that the teacher was asked for.

    frame: its number in the stream. before, after: the student's score on it, without and with the updates;
    None where there was nothing to score: no answer yet (of a delta network's first frame), or no label.
    steps: of the optimiser. stride: frames until the next one. macs: of the student, updates included.
    undone: why updates were undone; failed: why the teacher gave no label; None: they were not, it did.
    """

    frame: int
    before: float | None
    after: float | None
    steps: int
    stride: int
    macs: int
    undone: str | None = None
    failed: str | None = None


class OnlineStream:
    """Answers one frame after another, and learns on the way.

    stream(frame) takes a normalised frame (N, C, H, W) and returns the student's output for it, or on a
    labelled frame the teacher's (settings.answers). Of N cameras at once the student is one for all.
    student: any network, which is copied: nobody else's changes; a delta network's students learn, labelled
        by its own teacher. teacher: labels frames, and may be shared by any number of streams; it is not
        changed. None: a delta network's own.
    position: number of frames answered. lessons: the last KEPT_LESSONS of them. is_labelled: whether the
    teacher labelled the last frame. macs: of the student on the last frame, updates included; the teacher's
    come on top.
    Raises ValueError for what does not fit together.
    """

    def __init__(
        self,
        student: nn.Module,
        task: Task,
        *,
        teacher: nn.Module | None = None,
        settings: Settings | None = None,
    ):
        self.settings = settings = settings or Settings()
        self._goal = goals_of(
            task, loss=settings.loss, background=settings.background, foreground=settings.foreground
        )
        self._student = _student(student, teacher, settings)
        self._teacher = teacher
        self._supervision = Supervision(Strides(settings.shortest, settings.longest))
        self.reset()

    def reset(self) -> None:
        """Begin another stream: what was learned is forgotten."""
        self._student.forget()
        self._supervision.reset()
        self.position = self.macs = self._failures = 0
        self.is_labelled = True
        self.lessons: deque[Lesson] = deque(maxlen=KEPT_LESSONS)

    @property
    def stride(self) -> int:
        """δ, frames from the last labelled frame to the next."""
        return self._supervision.stride

    @property
    def network(self) -> nn.Module:
        """The student's network as it is now; it goes on learning."""
        return self._student.network

    @property
    def state_bytes(self) -> int:
        """Memory that is kept for the next frame, bytes: what learns, its momentum, maps of a key frame."""
        return self._student.state_bytes

    def __call__(self, frame: Tensor, *, labelled: bool | None = None) -> Any:
        """Answer the next frame.

        labelled: whether the teacher is to label it; None: as the stride rule says.
        A teacher that fails, or says what is not finite, is asked again on the next frame; RuntimeError
        where it has failed on more frames in a row than settings.teacher_failures, and where without it
        nothing can be answered.
        """
        before = self._student.learner.macs
        is_due = self._supervision.is_due if labelled is None else labelled
        output = self._labelled(frame, before) if is_due else self._alone(frame)
        self.macs = self._student.learner.macs - before
        self.position += 1
        return output

    def _alone(self, frame: Tensor) -> Any:
        output = self._student.answer(frame)
        self.is_labelled = False
        self._supervision.not_labelled()
        return output

    def _labelled(self, frame: Tensor, macs_before: int) -> Any:
        try:
            taught = self._label(frame)
        except Exception as error:  # of whatever kind: the video goes on
            return self._without_label(frame, error)
        updated = self._updated(frame, taught)
        self._student.adopt(frame)
        self._failures, self.is_labelled = 0, True
        passed = updated is not None and updated.after >= self.settings.threshold
        self._supervision.labelled(passed=passed)
        self._note(updated, self._student.learner.macs - macs_before)
        own = self.settings.answers == "student" and updated is not None
        return updated.output if own else taught  # type: ignore[union-attr]  # see own

    @torch.no_grad()
    def _label(self, frame: Tensor) -> Any:
        if isinstance(self._student, DeltaStudent):
            output = self._student.label(frame)
        else:
            assert self._teacher is not None  # _student asks for one
            output = frame_outputs(self._teacher, frame)
        if not all(bool(leaf.isfinite().all()) for leaf in tree_leaves(output) if isinstance(leaf, Tensor)):
            raise FloatingPointError("the teacher's output is not finite")
        return output

    def _updated(self, frame: Tensor, taught: Any) -> Updated | None:
        if not self._student.can_answer:
            return None
        network = self._student.network
        goal = self._goal(taught, network=network, teacher=self._teacher or network)
        settings = self.settings
        return update(self._student, goal, frame, threshold=settings.threshold, at_most=settings.updates)

    def _without_label(self, frame: Tensor, error: Exception) -> Any:
        self._failures += 1
        reason = f"{type(error).__name__}: {error}"
        if self._failures > self.settings.teacher_failures or not self._student.can_answer:
            raise RuntimeError(
                f"the teacher failed on frame {self.position}, the {self._failures}. in a row ({reason})"
            ) from error
        _log.warning(
            "the teacher failed on frame %d and is asked again on the next: %s", self.position, reason
        )
        output = self._student.answer(frame)
        self.is_labelled = False
        self._supervision.failed()
        self.lessons.append(Lesson(self.position, None, None, 0, self.stride, 0, failed=reason))
        return output

    def _note(self, updated: Updated | None, macs: int) -> None:
        if updated is None:
            self.lessons.append(Lesson(self.position, None, None, 0, self.stride, macs))
            return
        if updated.undone:
            _log.warning("updates on frame %d were undone: %s", self.position, updated.undone)
        scores = updated.before, updated.after, updated.steps
        self.lessons.append(Lesson(self.position, *scores, self.stride, macs, updated.undone))

    def state(self) -> dict[str, Any]:
        """All that the next answers depend on, as tensors and plain values, copies."""
        return {
            "position": self.position,
            "failures": self._failures,
            "supervision": self._supervision.state(),
            "student": self._student.state(),
            "lessons": [astuple(lesson) for lesson in self.lessons],
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; ValueError for that of another student."""
        self._student.resume(state["student"])
        self._supervision.restore(state["supervision"])
        self.position, self._failures = state["position"], state["failures"]
        self.lessons = deque((Lesson(*values) for values in state["lessons"]), maxlen=KEPT_LESSONS)


def _student(network: nn.Module, teacher: nn.Module | None, settings: Settings) -> NetworkStudent:
    rates = {"learning_rate": settings.learning_rate, "momentum": settings.momentum}
    if teacher is not None:
        if delta_blocks(network):
            raise ValueError(
                "a delta network is labelled by its own teacher, relative to which its students answer"
            )
        return NetworkStudent(network, batch_norm=settings.batch_norm or "running", **rates)
    if not delta_blocks(network):
        raise ValueError("a student that is no delta network has no teacher of its own; give one: teacher=…")
    if settings.batch_norm not in (None, "frozen"):
        raise ValueError(
            f"batch_norm {settings.batch_norm!r}: a delta network's batch norm is its teacher's, which stays "
            "as it is; leave it out"
        )
    return DeltaStudent(network, **rates)
