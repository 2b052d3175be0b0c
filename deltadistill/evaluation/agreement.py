"""How far predictions of two successive frames agree: along flow, along tracks of boxes, or as classes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from deltadistill.data.boxes import Detections
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.agreement_of_boxes import BoxConsistency
from deltadistill.evaluation.agreement_of_classes import SameClass
from deltadistill.evaluation.agreement_of_labels import Consistency, Warp
from deltadistill.metrics.counters import Counter
from deltadistill.metrics.top_classes import Ranking
from deltadistill.motion.dis import Preset
from deltadistill.motion.optical_flow import DisFlow, Flow
from deltadistill.tasks.task import Form, Predictions, Task

Pairs = Sequence[tuple[Frame, Frame]]
"""Of each stream that runs side by side, the frame before and the frame now."""
FlowSource = Callable[[Frame, Frame], Flow]
"""Maps the frame before and a frame to the backward flow of the latter."""
Way = tuple[str, str]
"""What predictions are carried along, and what counts: ("exact", "visible"), ("tracks", "all") …"""


class Meter(Counter, Protocol):
    """Counts agreements, and says how many there are."""

    def percent(self) -> float:
        """How far predictions agree; NaN where none was compared."""

    def coverage_percent(self) -> float:
        """The share of what could be compared that was."""


Count = Callable[[Meter, Predictions, Predictions], None]
"""Counts the predictions before and now of some pairs in a meter."""


class Agreement(Protocol):
    """Compares predictions of successive frames in one or several ways."""

    ways: tuple[Way, ...]

    def meter(self) -> Meter:
        """Make an empty meter."""

    def between(self, pairs: Pairs) -> Iterator[tuple[Way, Count]]:
        """Per way what counts the predictions of these pairs.

        What takes time and hangs on the frames alone is done once here, for any number of predictions.
        """


@dataclass(frozen=True)
class FlowAgreement:
    """Labels warped along each flow: over all pixels that were in the image, and over the visible ones."""

    classes: int
    sources: Mapping[str, FlowSource]

    @property
    def ways(self) -> tuple[Way, ...]:
        """Every flow with each of the two masks."""
        return tuple((flow, mask) for flow in self.sources for mask in ("all", "visible"))

    def meter(self) -> Consistency:
        """Make an empty count of label pairs."""
        return Consistency(self.classes)

    def between(self, pairs: Pairs) -> Iterator[tuple[Way, Count]]:
        """See `Agreement`."""
        for name, source in self.sources.items():
            flows = [source(*pair) for pair in pairs]
            flow = torch.stack([one.flow for one in flows])
            visible = torch.stack([one.visible for one in flows])
            for mask, warp in (("all", Warp(flow)), ("visible", Warp(flow, visible=visible))):
                yield (name, mask), partial(_count_warped, warp)


def _count_warped(warp: Warp, meter: Consistency, before: Tensor, now: Tensor) -> None:
    meter.update(warp(before), now)


def flow_sources(
    store: FrameStore, clips: Mapping[str, Sequence[Frame]], *, dis_preset: Preset
) -> dict[str, FlowSource]:
    """Return DIS flow, and the data set's exact flow when every frame but the first of a clip has one."""

    def exact(before: Frame, now: Frame) -> Flow:
        return Flow(*store.flow(now))

    dis = DisFlow(dis_preset)

    def estimated(before: Frame, now: Frame) -> Flow:
        return dis.between(store.image(before), store.image(now))

    known = all(frame.flow is not None for frames in clips.values() for frame in frames[1:])
    return {"exact": exact, "dis": estimated} if known else {"dis": estimated}


@dataclass(frozen=True)
class TrackAgreement:
    """Detections carried along the true motion of their tracks (consistency.of_boxes).

    min_score: of a detection that counts.
    """

    store: FrameStore
    min_score: float
    ways: tuple[Way, ...] = (("tracks", "all"),)

    def meter(self) -> BoxConsistency:
        """Make an empty count of tracks."""
        return BoxConsistency(min_score=self.min_score)

    def between(self, pairs: Pairs) -> Iterator[tuple[Way, Count]]:
        """See `Agreement`."""
        yield self.ways[0], partial(self._count, pairs)

    def _count(
        self,
        pairs: Pairs,
        meter: BoxConsistency,
        before: Sequence[Detections],
        now: Sequence[Detections],
    ) -> None:
        for (earlier, later), then, current in zip(pairs, before, now, strict=True):
            if self.store.is_annotated(earlier) and self.store.is_annotated(later):
                meter.update((then, self.store.boxes(earlier)), (current, self.store.boxes(later)))


@dataclass(frozen=True)
class ClassAgreement:
    """The likeliest classes of successive frames, where the true one stays (consistency.of_classes)."""

    ways: tuple[Way, ...] = (("classes", "all"),)

    def meter(self) -> SameClass:
        """Make an empty count of pairs."""
        return SameClass()

    def between(self, pairs: Pairs) -> Iterator[tuple[Way, Count]]:
        """See `Agreement`."""
        yield self.ways[0], partial(self._count, pairs)

    def _count(
        self, pairs: Pairs, meter: SameClass, before: Sequence[Ranking], now: Sequence[Ranking]
    ) -> None:
        for frames, then, current in zip(pairs, before, now, strict=True):
            truths = frames[0].target, frames[1].target
            meter.update((int(then.classes[0]), int(current.classes[0])), truths)


def _along_flow(
    store: FrameStore, clips: Mapping[str, Sequence[Frame]], dis_preset: Preset, min_score: float
) -> Agreement:
    return FlowAgreement(len(store.classes), flow_sources(store, clips, dis_preset=dis_preset))


def _along_tracks(
    store: FrameStore, clips: Mapping[str, Sequence[Frame]], dis_preset: Preset, min_score: float
) -> Agreement:
    return TrackAgreement(store, min_score)


def _as_classes(
    store: FrameStore, clips: Mapping[str, Sequence[Frame]], dis_preset: Preset, min_score: float
) -> Agreement:
    return ClassAgreement()


_BY_FORM: dict[Form, Callable[..., Agreement]] = {
    "label_maps": _along_flow,
    "detections": _along_tracks,
    "rankings": _as_classes,
}


def build(
    store: FrameStore,
    clips: Mapping[str, Sequence[Frame]],
    task: Task,
    *,
    dis_preset: Preset,
    min_score: float,
) -> Agreement:
    """Choose how predictions of a task are compared: by their form, or in the task's own way.

    dis_preset: of OpenCV's DIS flow. min_score: of detections that count.
    Raises ValueError for a task of one's own that does not say.
    """
    if task.form in _BY_FORM:
        return _BY_FORM[task.form](store, clips, dis_preset, min_score)
    if not hasattr(task, "agreement"):
        raise ValueError(
            f"task {type(task).__name__} does not say how successive predictions are compared; give it a "
            "method agreement(store) that returns a consistency.agreement.Agreement"
        )
    return task.agreement(store)
