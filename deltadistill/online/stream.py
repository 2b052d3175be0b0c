"""A stream that learns: the student answers frames, the teacher labels some, and from those it learns."""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.forward.outputs import frame_outputs
from deltadistill.online.extras import Extras
from deltadistill.online.goals import goals_of
from deltadistill.online.lesson import KEPT_LESSONS, Lesson
from deltadistill.online.making import student_of, supervision_of
from deltadistill.online.settings import Settings
from deltadistill.online.students import DeltaStudent
from deltadistill.online.updates import Goal, Updated, update
from deltadistill.tasks.task import Task

_log = logging.getLogger(__name__)


class OnlineStream:
    """Answers one frame after another, and learns on the way.

    stream(frame) takes a normalised frame (N, C, H, W) and returns the student's output for it, or on a
    labelled frame the teacher's (settings.answers). Of N cameras at once the student is one for all.
    student: any network, which is copied: nobody else's changes; a delta network's students learn, labelled
        by its own teacher. teacher: labels frames, and may be shared by any number of streams; it is not
        changed. None: a delta network's own.
    position: number of frames answered. lessons: the last KEPT_LESSONS of them. is_labelled: whether a label
    came with the last frame. by_teacher: whether the teacher answered it. macs: of the student on the last
    frame, updates included; the teacher's come on top. steps: of the optimiser on the last frame.
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
        self._student = student_of(student, teacher, settings)
        self._teacher = teacher
        self._supervision = supervision_of(settings, task)
        self._extras = Extras(settings, self._label)
        self.reset()

    def reset(self) -> None:
        """Begin another stream: what was learned is forgotten."""
        self._student.forget()
        self._supervision.reset()
        self._extras.forget()
        self.position = self.macs = self.steps = self._failures = 0
        self.is_labelled = self.by_teacher = True
        self.lessons: deque[Lesson] = deque(maxlen=KEPT_LESSONS)

    def ask_now(self) -> None:
        """Have the next frame labelled, whatever the stride is; what was learned stays."""
        self._supervision.ask_now()

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
        """Memory kept for the next frame, bytes: what learns, its momentum, maps of a key frame, extras."""
        return self._student.state_bytes + self._extras.bytes

    def __call__(self, frame: Tensor, *, labelled: bool | None = None) -> Any:
        """Answer the next frame.

        labelled: whether the teacher is to label it; None: as the stride rule says.
        A teacher that fails, or says what is not finite, is asked again on the next frame; RuntimeError
        where it has failed on more frames in a row than settings.teacher_failures, and where without it
        nothing can be answered.
        """
        before, self.steps = self._student.learner.macs, 0
        self._look_for_a_cut(frame)
        if self._extras.late:
            output = self._ahead(frame, before, is_due=self._is_due(labelled))
        else:
            output = self._labelled(frame, before) if self._is_due(labelled) else self._alone(frame)
        self.macs = self._student.learner.macs - before
        self.position += 1
        return output

    def _is_due(self, labelled: bool | None) -> bool:
        until = self.settings.learns_until
        if until is not None and self.position >= until:
            return False
        return self._supervision.is_due if labelled is None else labelled

    def _look_for_a_cut(self, frame: Tensor) -> None:
        scenes = self._extras.scenes
        if scenes is None or not scenes.is_cut(frame):
            return
        if (learned := scenes.change(self._student.snapshot())) is not None:
            self._student.restore(learned)
        self._supervision.ask_now()

    def _alone(self, frame: Tensor) -> Any:
        output = self._student.answer(frame)
        self.is_labelled = self.by_teacher = False
        self._supervision.not_labelled()
        self._supervision.answered(output)
        return output

    def _ahead(self, frame: Tensor, macs_before: int, *, is_due: bool) -> Any:
        """Answer without waiting for the teacher; learn from the frame that it was given, once it is due."""
        output, late = self._alone(frame), self._extras.late
        assert late is not None  # __call__ asks
        if found := late.passed():
            labelled_frame, taught = found
            try:
                self._learn(labelled_frame, taught.result(), macs_before)
            except Exception as error:  # of whatever kind: the video goes on
                self._fail(error)
        elif is_due and not late.is_busy:
            late.ask(frame)
        return output

    def _labelled(self, frame: Tensor, macs_before: int) -> Any:
        try:
            taught = self._label(frame)
        except Exception as error:  # of whatever kind: the video goes on
            self._fail(error)
            return self._student.answer(frame)
        updated = self._learn(frame, taught, macs_before)
        self.by_teacher = self.settings.answers == "teacher" or updated is None
        return taught if self.by_teacher else updated.output  # type: ignore[union-attr]  # see by_teacher

    def _learn(self, frame: Tensor, taught: Any, macs_before: int) -> Updated | None:
        updated = self._updated(frame, taught)
        self._student.adopt(frame)
        if self._extras.replay:
            self._extras.replay.add(frame.detach().clone(), taught)
        self._failures, self.is_labelled = 0, True
        passed = updated is not None and updated.after >= self.settings.threshold
        self._supervision.labelled(passed=passed)
        self._note(updated, self._student.learner.macs - macs_before)
        return updated

    @torch.no_grad()
    def _label(self, frame: Tensor) -> Any:
        if isinstance(self._student, DeltaStudent):
            output = self._student.label(frame)
        else:
            assert self._teacher is not None  # student_of asks for one
            output = frame_outputs(self._teacher, frame)
        if not all(bool(leaf.isfinite().all()) for leaf in tree_leaves(output) if isinstance(leaf, Tensor)):
            raise FloatingPointError("the teacher's output is not finite")
        return output

    def _updated(self, frame: Tensor, taught: Any) -> Updated | None:
        if not self._student.can_answer:
            return None
        settings, goal = self.settings, self._goal_of(taught)
        return update(
            self._student,
            goal,
            frame,
            threshold=settings.threshold,
            at_most=settings.updates,
            rehearse=self._rehearsed,
        )

    def _goal_of(self, taught: Any) -> Goal:
        network = self._student.network
        return self._goal(taught, network=network, teacher=self._teacher or network)

    def _rehearsed(self, step: int) -> tuple[Tensor, Goal] | None:
        kept = self._extras.replay.draw(step) if self._extras.replay else None
        return None if kept is None else (kept[0], self._goal_of(kept[1]))

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        reason = f"{type(error).__name__}: {error}"
        if self._failures > self.settings.teacher_failures or not self._student.can_answer:
            raise RuntimeError(
                f"the teacher failed on frame {self.position}, the {self._failures}. in a row ({reason})"
            ) from error
        _log.warning(
            "the teacher failed on frame %d and is asked again on the next: %s", self.position, reason
        )
        self.is_labelled = self.by_teacher = False
        self._supervision.failed()
        self.lessons.append(Lesson(self.position, None, None, 0, self.stride, 0, failed=reason))

    def _note(self, updated: Updated | None, macs: int) -> None:
        if updated is None:
            self.lessons.append(Lesson(self.position, None, None, 0, self.stride, macs))
            return
        if updated.undone:
            _log.warning("updates on frame %d were undone: %s", self.position, updated.undone)
        self.steps = updated.steps
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
            "extras": self._extras.state(),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; ValueError for that of another student."""
        self._student.resume(state["student"])
        self._supervision.restore(state["supervision"])
        self._extras.resume(state["extras"])
        self.position, self._failures = state["position"], state["failures"]
        self.lessons = deque((Lesson(*values) for values in state["lessons"]), maxlen=KEPT_LESSONS)
