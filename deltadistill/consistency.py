"""Temporal consistency of a variant over clips, at several sequence lengths in one pass."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import Clips, inputs
from deltadistill.evaluation.sharing import add_up, share
from deltadistill.metrics.consistency import Consistency, Warp
from deltadistill.metrics.optical_flow import DisFlow, Flow, Preset
from deltadistill.processes import ALONE, Group
from deltadistill.variants import Variant

FlowSource = Callable[[Frame, Frame], Flow]
"""Maps the frame before and a frame to the backward flow of the latter."""
Scores = dict[int, dict[str, dict[str, dict[str, float]]]]
"""T → flow ("exact", "dis") → mask ("all", "visible") → {"consistency", "coverage"} in percent."""


def flow_sources(store: FrameStore, clips: Clips, *, dis_preset: Preset) -> dict[str, FlowSource]:
    """Return DIS flow, and the data set's exact flow when every frame but the first of a clip has one."""

    def exact(before: Frame, now: Frame) -> Flow:
        return Flow(*store.flow(now))

    dis = DisFlow(dis_preset)

    def estimated(before: Frame, now: Frame) -> Flow:
        return dis.between(store.image(before), store.image(now))

    known = all(frame.flow is not None for frames in clips.values() for frame in frames[1:])
    return {"exact": exact, "dis": estimated} if known else {"dis": estimated}


def measure(
    variants: Mapping[int, Variant],
    store: FrameStore,
    clips: Clips,
    sources: Mapping[str, FlowSource],
    *,
    batch: int,
    progress: Callable[[Sequence], Iterable] = iter,
    group: Group = ALONE,
) -> Scores:
    """Run the variant of each sequence length T over every clip and compare successive predictions.

    `variants` maps T to a variant with that period; clips start with a key frame and `batch` of equal
    length run side by side. All T share each frame and each flow, which are held for one pair only.
    group: processes that share the batches; each gets all scores.
    Raises ValueError when no clip has two frames.
    """
    if all(len(frames) < 2 for frames in clips.values()):
        raise ValueError("no clip has two frames; temporal consistency compares successive predictions")
    meters = {
        (length, flow, mask): Consistency(len(store.classes))
        for length in variants
        for flow in sources
        for mask in ("all", "visible")
    }
    for together in progress(share(list(_side_by_side(clips, batch)), group)):
        _run(variants, store, together, sources, meters)
    add_up([meter.matrix for meter in meters.values()], group)
    pixels = group.total(torch.tensor([meter.pixels for meter in meters.values()]))
    for meter, seen in zip(meters.values(), pixels.tolist(), strict=True):
        meter.pixels = seen
    scores: Scores = {length: {flow: {} for flow in sources} for length in variants}
    for (length, flow, mask), meter in meters.items():
        scores[length][flow][mask] = {"consistency": meter.percent(), "coverage": meter.coverage_percent()}
    return scores


def _run(
    variants: Mapping[int, Variant],
    store: FrameStore,
    together: Sequence[Sequence[Frame]],
    sources: Mapping[str, FlowSource],
    meters: Mapping[tuple[int, str, str], Consistency],
) -> None:
    before: dict[int, Tensor] = {}
    for variant in variants.values():
        variant.reset()
    for index in range(len(together[0])):
        frame = inputs(store, [frames[index] for frames in together])
        now = {length: variant.predict(frame) for length, variant in variants.items()}
        if index:
            pairs = [(frames[index - 1], frames[index]) for frames in together]
            _count(before, now, pairs, sources, meters)
        before = now


def _count(
    before: Mapping[int, Tensor],
    now: Mapping[int, Tensor],
    pairs: Sequence[tuple[Frame, Frame]],
    sources: Mapping[str, FlowSource],
    meters: Mapping[tuple[int, str, str], Consistency],
) -> None:
    for name, source in sources.items():
        flows = [source(*pair) for pair in pairs]
        flow = torch.stack([one.flow for one in flows])
        visible = torch.stack([one.visible for one in flows])
        for mask, warp in (("all", Warp(flow)), ("visible", Warp(flow, visible=visible))):
            for length in now:
                meters[length, name, mask].update(warp(before[length]), now[length])


def _side_by_side(clips: Clips, batch: int) -> Iterator[list[Sequence[Frame]]]:
    by_length: dict[int, list[Sequence[Frame]]] = defaultdict(list)
    for frames in clips.values():
        by_length[len(frames)].append(frames)
    for _, equal in sorted(by_length.items()):
        for start in range(0, len(equal), batch):
            yield equal[start : start + batch]
