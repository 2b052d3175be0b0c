"""Delta distillation (Eq. 5), and its rivals feature distillation and FGFI: task, students, search in one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.sessions import CallError, ClipSession
from deltadistill.blocks.stream import forward_clip
from deltadistill.data.frames import normalise
from deltadistill.distillation.losses import (
    distillation_loss,
    expected_cost,
    probe_teacher,
    probed_energies,
    target_energies,
)
from deltadistill.distillation.near_objects import (
    ADAPTATION,
    NearObjects,
    head_features,
    near_objects_loss,
    places,
)
from deltadistill.distillation.search import CandidateDraws, settle, settle_at
from deltadistill.forward.clip_axes import all_frames, later_frames
from deltadistill.forward.half_precision import in_single_precision
from deltadistill.forward.outputs import frame_outputs
from deltadistill.tasks.task import Task
from deltadistill.training.optimiser import Descent
from deltadistill.training.passes import Batch, Whole, sums, with_targets


@dataclass(frozen=True)
class Weights:
    """Weights of Eq. 5, and what the task loss compares predictions with.

    task: "labels"; "teacher" for the teacher's own predictions on the later frames; "none" for no task
        loss. The last two are distillation without labels.
    alpha_steps: alpha holds for so many steps and is 0 after them; None: to the end.
    """

    alpha: float
    beta: float
    task: Literal["labels", "teacher", "none"] = "labels"
    alpha_steps: int | None = None

    def alpha_at(self, step: int) -> float:
        """Weight of the distillation loss at a step."""
        return self.alpha if self.alpha_steps is None or step < self.alpha_steps else 0.0


@dataclass(frozen=True)
class SearchCourse:
    """When the search acts, and what it may spend.

    Up to step `warmup` candidates are drawn and the gates rest; at step `freeze` the choice is final,
    within `budget` (search.settle) or at `target` (search.settle_at), and the students finetune.
    """

    warmup: int
    freeze: int
    budget: float | None = None
    target: AmortisedTarget | None = None

    def settle(self, network: nn.Module, costs: CostTable) -> None:
        """Decide every block."""
        if self.target is None:
            settle(network, costs, budget=self.budget)
        else:
            settle_at(network, costs, self.target)

    def require_reachable(self, network: nn.Module, costs: CostTable) -> None:
        """Raise ValueError for costs of another network, and for a bound that no choice can keep."""
        costs.require_blocks_of(network)
        if self.target is not None:
            costs.require_target(self.target)
        elif self.budget is not None:
            costs.require_share(self.budget)

    def price(self, cost: Tensor) -> Tensor:
        """What the loss charges for the expected cost of a delta frame, a share of the teacher's.

        The cost itself (Eq. 4); with a target its distance from it, so that a network that is too cheap is
        drawn up.
        """
        return cost if self.target is None else (cost - self.target.delta_share).abs()


@dataclass
class DistillTraining:
    """A trainee (see training.loop): one step on clips whose first frame is the key frame.

    Batch norm keeps its statistics throughout, so that the target pass and the main pass agree: with
    other statistics even an exact student would show an error.
    near_objects: what to imitate in place of every block's output (FGFI); the network has the convolution
        that goes with it (distillation/near_objects.py, add_adaptation).
    Raises ValueError, before anything is trained, where the search's bound is out of reach.
    """

    descent: Descent
    task: Task
    weights: Weights
    search: SearchCourse
    costs: CostTable
    seed: int
    tune_score: Callable[[Callable[[], None]], float]
    near_objects: NearObjects | None = None

    def __post_init__(self):
        self.search.require_reachable(self.network, self.costs)

    @property
    def network(self) -> nn.Module:
        """The delta network that learns."""
        return self.descent.network

    def losses(self, index: int, batch: Batch) -> Iterator[dict[str, Tensor]]:
        """Yield the loss of step `index` (Eq. 5) and its terms, pass by pass over a batch as in `step`.

        Each is a part of the whole batch's; weights stay.
        """
        parts = with_targets(self.descent.passes.split(batch), self.task, self.network)
        whole = self._survey(index, parts)
        for part in parts:
            yield self._losses(index, part, whole)

    def step(self, index: int, batch: Batch) -> dict[str, float]:
        """Do one optimiser step on a batch of clips (N, T, 3, H, W) with labels (N, T, …)."""
        self.network.eval()
        if index == self.search.freeze:
            self.search.settle(self.network, self.costs)
        totals = self.descent.step(index, self.losses(index, batch))
        steps = self.descent.course.steps
        if index == steps - 1 and self.search.freeze >= steps:
            self.search.settle(self.network, self.costs)
        return totals | {"compressed_share": compressed_share(self.network)}

    @torch.no_grad()
    def _survey(self, index: int, parts: list[Batch]) -> Whole:
        """What the parts must know of the whole: a look at all of them where there is more than one."""
        passes, labelled = self.descent.passes, self.weights.task == "labels"
        whole = Whole.of(passes, parts)
        if len(parts) == 1:
            return whole
        if labelled:
            looks = self.task.extent_needs_outputs
            outputs = (
                all_frames(self._run(index, p, probing=False).output) if looks else None for p in parts
            )
            seen = zip(outputs, (part["target"] for part in parts), strict=True)
            whole = replace(whole, extent=self.task.extent(seen, passes.group))
        if self.weights.alpha_at(index) > 0:
            whole = replace(whole, distilled=sums(passes, map(self._survey_distilled, parts)))
        return whole

    def _survey_distilled(self, part: Batch) -> Tensor:
        if self.near_objects:
            return places(self._masks(part))
        with self.descent.precision.passes():
            return probed_energies(self.network, normalise(part["clip"]))

    def _run(self, index: int, part: Batch, *, probing: bool) -> "_Run":
        """Both passes over a part: the teacher's own, where it is asked for, and the delta network's."""
        clip = normalise(part["clip"])
        draws = CandidateDraws(self.network, seed=self.seed, step=index, learning=index >= self.search.warmup)
        precision, probe, targets = self.descent.precision, None, None
        with precision.passes():
            with self._watch() as taught_maps:
                if probing:
                    probe = probe_teacher(self.network, later_frames(clip))
            if probe and self.weights.alpha_at(index) > 0 and not self.near_objects:
                targets = probe.targets
            session = ClipSession(clip.shape[1], choose=draws, targets=targets)
            with self._watch() as maps:
                output = forward_clip(self.network, clip, session=session, run=frame_outputs)
        return _Run(
            precision.outputs(output),
            list(session.errors.values()),
            precision.outputs(probe.output) if probe else None,
            maps=[in_single_precision(features[len(clip) :]) for features in maps],  # time first
            taught_maps=[in_single_precision(features) for features in taught_maps],
        )

    def _watch(self) -> AbstractContextManager[list[Tensor]]:
        return head_features(self.network) if self.near_objects else nullcontext([])

    def _masks(self, part: Batch) -> list[Tensor]:
        size, threshold = tuple(part["clip"].shape[-2:]), self.near_objects.threshold
        references = later_frames(part["label"])
        return self.task.near_objects(references, size, network=self.network, threshold=threshold)

    def _losses(self, index: int, part: Batch, whole: Whole) -> dict[str, Tensor]:
        alpha = self.weights.alpha_at(index)
        run = self._run(index, part, probing=alpha > 0 or self.weights.task == "teacher")
        share, cost = whole.part(part), expected_cost(self.network, self.costs)
        terms = {
            "task": self._task_loss(run, part, whole),
            "distillation": self._distillation_loss(run, part, whole),
            "cost": share * cost,
        }
        loss = terms["task"] + alpha * terms["distillation"]
        if self.search.warmup <= index < self.search.freeze:
            loss = loss + self.weights.beta * share * self.search.price(cost)
        return {"loss": loss, **terms}

    def _task_loss(self, run: "_Run", part: Batch, whole: Whole) -> Tensor:
        if self.weights.task == "labels":
            output, group = all_frames(run.output), self.descent.passes.group
            return self.task.loss(output, part["target"], whole.extent, group=group, network=self.network)
        if self.weights.task == "teacher":
            later = later_frames(run.output)
            return whole.part(part) * self.task.imitation_loss(later, run.taught, network=self.network)
        return _nothing(part)

    def _distillation_loss(self, run: "_Run", part: Batch, whole: Whole) -> Tensor:
        if not (run.errors or run.taught_maps):
            return _nothing(part)
        of, group = whole.distilled, self.descent.passes.group
        if self.near_objects:
            masks = self._masks(part)
            of = group.total(places(masks)) if of is None else of
            adapted = [self.network.get_submodule(ADAPTATION)(features) for features in run.maps]
            return near_objects_loss(adapted, run.taught_maps, masks, of)
        of = group.total(target_energies(run.errors)) if of is None else of
        return distillation_loss(run.errors, of)

    def judged_weights(self) -> AbstractContextManager[None]:
        """Inside, the network has the weights that are judged and kept."""
        return self.descent.judged_weights()

    def may_be_best(self, steps_done: int) -> bool:
        """Only a network whose candidates are settled is a result."""
        return steps_done > self.search.freeze or steps_done == self.descent.course.steps

    def state(self) -> dict[str, Any]:
        """Weights, all that makes the next ones, and the candidates decided so far."""
        decided = {name: block.decided for name, block in delta_blocks(self.network).items()}
        return {
            **self.descent.state(),
            "decided": {name: candidate for name, candidate in decided.items() if candidate},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""
        self.descent.restore(state)
        blocks = delta_blocks(self.network)
        for name, candidate in state["decided"].items():
            blocks[name].decide(candidate)


@dataclass(frozen=True)
class _Run:
    """What a part of a batch gives: the output (N, T, …), errors of all calls, and what the teacher's own
    pass over the later frames returned, where there was one.

    maps, taught_maps: what the heads read of the later frames, the students' and the teacher's, where that is
        imitated.
    """

    output: Any
    errors: list[CallError]
    taught: Any | None
    maps: list[Tensor] = field(default_factory=list)
    taught_maps: list[Tensor] = field(default_factory=list)


def _nothing(part: Batch) -> Tensor:
    return torch.zeros((), device=part["clip"].device)


def compressed_share(network: nn.Module) -> float:
    """Share of the blocks that would run compressed."""
    blocks = delta_blocks(network).values()
    return sum(block.choice == "compressed" for block in blocks) / len(blocks)


@torch.no_grad()
def layer_errors(network: nn.Module, clips: Tensor) -> dict[str, float]:
    """Relative distillation error of every block on clips (N, T, 3, H, W), mean over its calls.

    The students run inside the delta network, on inputs that earlier students have changed; the targets
    come from the teacher's own pass.
    """
    session = ClipSession(clips.shape[1], targets=probe_teacher(network, later_frames(clips)).targets)
    forward_clip(network, clips, session=session, run=frame_outputs)
    names = {block: name for name, block in delta_blocks(network).items()}
    sums: dict[str, list[float]] = {}
    for (block, _), error in session.errors.items():
        sums.setdefault(names[block], []).append(error.relative().item())
    return {name: sum(errors) / len(errors) for name, errors in sums.items()}
