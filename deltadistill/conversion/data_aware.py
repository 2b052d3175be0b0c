"""Linear students that start from real deltas: whitened SVD, then least squares.

Plain SVD treats all inputs alike; the deltas of real video do not spread alike. With u the vertical patches
of a block's input deltas, of covariance L Lᵀ, the SVD of Lᵀ M = U S Vᵀ takes the place of that of the kernel
matrix M. The first factor is M V S⁻¹, which is L⁻ᵀ U: inputs that no delta takes keep the teacher's own
weights there, where L⁻ᵀ has no bound. The second is the least-squares map from the first factor's output to
the true delta.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from tqdm import tqdm  # type: ignore[import-untyped]  # tqdm has no types of its own

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.sessions import hint_at_channels, require_frames
from deltadistill.conversion.data_fit import Fit
from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.outputs import called

_log = logging.getLogger(__name__)
_HELD_OUT = 4  # every so-manieth clip judges and does not teach

Run = Callable[[nn.Module, Tensor], object]
Watchers = Mapping[DeltaBlock, Callable[[Tensor], None]]


@torch.no_grad()
def initialise_from_data(
    network: nn.Module,
    blocks: Sequence[DeltaBlock],
    clips: Tensor,
    *,
    batch: int = 2,
    run: Run | None = None,
    progress: bool = False,
) -> dict[DeltaBlock, str]:
    """Set every block's compressed student from clips (N, T, C, H, W), N ≥ 2, T ≥ 2.

    Deltas are those of the teacher: later frame minus the clip's first. Groups of a student (one, but for
    grouped layers) keep the plain SVD where the fit is no better on the held-out clips (at full rank the SVD
    is exact), where nothing moves in the clips, and where a weight would be far above the teacher's; so do
    blocks that do not run on the clips. Returns per block how it begins; a warning names those held.
    run: how the network is run on frames (N, C, H, W); None: called.
    Raises ValueError for clips that are too few, of another form, or not finite.
    """
    require_frames(clips, "(N, T, C, H, W)")
    hint_at_channels(network, clips)
    if clips.shape[0] < 2 or clips.shape[1] < 2:
        raise ValueError(f"expected at least 2 clips (N, T, C, H, W) of 2 frames, got {tuple(clips.shape)}")
    if not clips.isfinite().all():
        raise ValueError("the clips hold values that are not finite; deltas of them initialise no student")
    held_out = torch.arange(len(clips)) % _HELD_OUT == _HELD_OUT - 1
    held_out[-1] = True
    taught, judged = clips[~held_out].split(batch), clips[held_out].split(batch)
    fits = {block: Fit(block) for block in blocks}
    with (
        evaluation_mode(network),
        tqdm(
            total=2 * len(taught) + len(judged), desc="start from data", unit="batch", disable=not progress
        ) as bar,
    ):
        _fit_students(_Watch(network, blocks[0], run or called, bar), fits, taught, judged)
    _tell(fits)
    return {block: fit.outcome() for block, fit in fits.items()}


@torch.no_grad()
def explained_energies(
    network: nn.Module,
    blocks: Sequence[DeltaBlock],
    clips: Tensor,
    *,
    batch: int = 2,
    run: Run | None = None,
    progress: bool = False,
) -> dict[DeltaBlock, Tensor]:
    """What of a block's deltas on clips (N, T, C, H, W) each further channel of its student would explain.

    By block `Fit.energies`, for those that ran and whose inputs change; students stay as they are.
    """
    batches, fits = clips.split(batch), {block: Fit(block) for block in blocks}
    with (
        evaluation_mode(network),
        tqdm(total=len(batches), desc="spectra", unit="batch", disable=not progress) as bar,
    ):
        watch = _Watch(network, blocks[0], run or called, bar)
        watch(batches, {block: fit.see_inputs for block, fit in fits.items()})
    return {block: fit.energies() for block, fit in fits.items() if fit.moves}


def _fit_students(
    watch: "_Watch", fits: Mapping[DeltaBlock, Fit], taught: Sequence[Tensor], judged: Sequence[Tensor]
) -> None:
    watch(taught, {block: fit.see_inputs for block, fit in fits.items()})
    fitted = {block: fit for block, fit in fits.items() if fit.seen}
    for fit in fitted.values():
        fit.solve_first()
    watch(taught, {block: fit.see_features for block, fit in fitted.items() if fit.needs_features})
    for fit in fitted.values():
        fit.solve_second()
    watch(judged, {block: fit.judge for block, fit in fitted.items() if fit.is_in_doubt})
    for fit in fitted.values():
        fit.keep_the_better()


def _tell(fits: Mapping[DeltaBlock, Fit]) -> None:
    held = {block.name: fit.held() for block, fit in fits.items()}
    total = sum((Counter(reasons) for reasons in held.values()), Counter())
    blocks = [name for name, reasons in held.items() if reasons]
    if blocks:
        why = ", ".join(f"{count} {reason}" for reason, count in total.items())
        _log.warning(
            "start from data: %d group(s) of channels in %d block(s) keep the SVD of their kernel: %s; "
            "the first of them: %s (conversion_report tells all)",
            *(sum(total.values()), len(blocks), why, blocks[:5]),
        )


class _RuleOfInputs(Protocol):
    def student_input(self, x: Tensor, x_key: Tensor) -> Tensor: ...


class _InputWatch:
    """A session that computes per frame by the teacher and shows the student inputs of the blocks watched."""

    def __init__(self, frames: int, watchers: Watchers):
        self._frames = frames
        self._watchers = watchers

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        if block in self._watchers:
            self._watchers[block](self._student_input(block, x))
        return block.teacher(x)

    def _student_input(self, block: DeltaBlock, x: Tensor) -> Tensor:
        """As of the later frames, time first; the key frame is broadcast, where repeats would be copies."""
        x = x.unflatten(0, (self._frames, -1)).transpose(0, 1)  # (clips, frames, …)
        rule = cast(_RuleOfInputs, block.rule)  # of linear students
        return rule.student_input(x[:, 1:], x[:, :1]).transpose(0, 1).flatten(0, 1)


class _Watch:
    """Runs the network on batches of clips and shows what the students of some blocks would read."""

    def __init__(self, network: nn.Module, any_block: DeltaBlock, run: Run, bar: tqdm):
        self._network, self._seat, self._run, self._bar = network, any_block.seat, run, bar

    def __call__(self, batches: Sequence[Tensor], watchers: Watchers) -> None:
        for some in batches if watchers else ():
            with self._seat.taken_by(_InputWatch(some.shape[1], watchers)):
                self._run(self._network, some.transpose(0, 1).flatten(0, 1))
            self._bar.update()
        if not watchers:
            self._bar.update(len(batches))
