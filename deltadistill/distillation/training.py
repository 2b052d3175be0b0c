"""Distillation: any weighted objectives, and the search, in one training; with labels and without."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.data.frames import normalise
from deltadistill.distillation.expected_cost import expected_cost
from deltadistill.distillation.search import CandidateDraws
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.distillation.weighted import DISTILLATION, TASK, Terms
from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.taps import Taps
from deltadistill.objectives.teacher_pass import Run
from deltadistill.training.batch_extent import BatchExtent
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimised_trainee import OptimisedTrainee
from deltadistill.training.passes import Batch

_NEVER = float("inf")
MOTION = "motion"
"""Of a batch's later frames, beside their clips."""


@dataclass
class DistillTraining(OptimisedTrainee):
    """A trainee (see training.loop): one step on clips whose first frame is the key frame.

    Batch norm keeps its statistics throughout, so that the teacher's pass and the main pass agree: with
    other statistics even an exact student would show an error.
    terms: the weighted objectives; `optimised` has those with modules of their own as companions.
    beta: weight of what the search charges for the expected cost. search: None where blocks are decided.
    clip_of: from a batch's clips to what the network takes. run: how the network is run on frames.
    motion_of: from a batch's clips to the motion of later frames since their key frame, (N, T − 1, 2, h, w),
    for blocks that are trained under it (blocks/moved_rule.py); None: without.
    Raises ValueError, before anything is trained, where the search's bound is out of reach.
    """

    optimised: OptimisedNetwork
    terms: Terms
    beta: float
    search: SearchCourse | None
    costs: CostTable | None
    seed: int
    tune_score: Callable[[Callable[[], None]], float]
    clip_of: Callable[[Tensor], Tensor] = normalise
    run: Run = frame_outputs
    motion_of: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self):
        if self.search is not None:
            self.search.require_reachable(self.network, self.costs)

    def losses(self, index: int, batch: Batch) -> Iterator[dict[str, Tensor]]:
        """Yield the loss of step `index` (Eq. 5) and its terms, pass by pass over a batch as in `step`.

        Each is a part of the whole batch's; weights stay.
        """
        terms = {name: term for name, term in self.terms.items() if term.at(index) > 0}
        parts = [self._prepared(part, terms) for part in self.optimised.passes.split(batch)]
        extent = self._extent(index, parts, terms)
        for part in parts:
            yield self._losses(index, part, extent, terms)

    def step(self, index: int, batch: Batch) -> dict[str, float]:
        """Do one optimiser step on a batch of clips (N, T, 3, H, W), with labels (N, T, …) where a term
        compares with them.
        """
        self.network.eval()
        freeze = self.search.freeze if self.search else _NEVER
        if index == freeze:
            self.search.settle(self.network, self.costs)
        totals = self.optimised.step(index, self.losses(index, batch))
        steps = self.optimised.course.steps
        if index == steps - 1 and steps <= freeze < _NEVER:
            self.search.settle(self.network, self.costs)
        return totals | {"compressed_share": compressed_share(self.network)}

    def _prepared(self, part: Batch, terms: Terms) -> Batch:
        if self.motion_of is not None:
            part = {**part, MOTION: self.motion_of(part["clip"])}
        for term in terms.values():
            part = term.objective.prepared(part, self.network)
        return part

    @torch.no_grad()
    def _extent(self, index: int, parts: list[Batch], terms: Terms) -> BatchExtent:
        """What the parts must know of the whole: a look at all of them where there is more than one."""
        passes = self.optimised.passes
        extent = BatchExtent.of(passes, parts)
        if len(parts) == 1:
            return extent
        seen = {
            name: term.objective.batch_extent(
                (self._observe(index, part, [term.objective.taps], only_extents=True) for part in parts),
                passes.group,
            )
            for name, term in terms.items()
        }
        return replace(extent, terms=seen)

    def _observe(
        self, index: int, part: Batch, taps: Sequence[Taps], *, only_extents: bool = False
    ) -> Observation:
        """What a pass shows of a part, whose candidates are drawn when it is run."""
        learning = self.search is None or index >= self.search.warmup
        return Observation(
            self.network,
            part,
            self.clip_of(part["clip"]),
            Taps.of_all(taps),
            choose=lambda: CandidateDraws(self.network, seed=self.seed, step=index, learning=learning),
            run=self.run,
            precision=self.optimised.precision,
            only_extents=only_extents,
            motion=part.get(MOTION),
        )

    def _losses(self, index: int, part: Batch, extent: BatchExtent, terms: Terms) -> dict[str, Tensor]:
        seen = self._observe(index, part, [term.objective.taps for term in terms.values()])
        found = {TASK: _nothing(part), DISTILLATION: _nothing(part)}
        loss = _nothing(part)
        for name, term in terms.items():
            found[name] = self._term(term.objective, seen, extent.terms.get(name))
            loss = loss + term.at(index) * found[name]
        share, cost = extent.share(part), self._expected_cost(part)
        if self.search is not None and self.search.gates_learn(index):
            loss = loss + self.beta * share * self.search.price(cost)
        return {"loss": loss, **found, "cost": share * cost}

    def _term(self, objective: Any, seen: Observation, of: Any) -> Tensor:
        if of is None:  # the only pass tells
            seen.run_passes()
            with torch.no_grad():
                of = objective.batch_extent([seen], self.optimised.passes.group)
        return objective.loss(seen, of)

    def _expected_cost(self, part: Batch) -> Tensor:
        return _nothing(part) if self.costs is None else expected_cost(self.network, self.costs)

    @torch.no_grad()
    def judged_loss(self, batch: Batch) -> float:
        """The weighted objectives of a batch under the blocks' own choices, as the last step weights them."""
        last = self.optimised.course.steps - 1
        terms = {name: term for name, term in self.terms.items() if term.at(last) > 0}
        taps = Taps.of_all(term.objective.taps for term in terms.values())
        part = self._prepared(batch, terms)
        seen = Observation(
            self.network, part, self.clip_of(part["clip"]), taps, run=self.run, motion=part.get(MOTION)
        )
        return sum(term.at(last) * self._term(term.objective, seen, None).item() for term in terms.values())

    def may_be_best(self, steps_done: int) -> bool:
        """Only a network whose candidates are settled is a result."""
        last = steps_done == self.optimised.course.steps
        return last or self.search is None or steps_done > self.search.freeze

    def state(self) -> dict[str, Any]:
        """Weights, all that makes the next ones, and the candidates decided so far."""
        decided = {name: block.decided for name, block in delta_blocks(self.network).items()}
        return {
            **super().state(),
            "decided": {name: candidate for name, candidate in decided.items() if candidate},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""
        super().restore(state)
        blocks = delta_blocks(self.network)
        for name, candidate in state["decided"].items():
            blocks[name].decide(candidate)


def _nothing(part: Batch) -> Tensor:
    return torch.zeros((), device=part["clip"].device)


def compressed_share(network: nn.Module) -> float:
    """Share of the blocks that would run compressed."""
    blocks = delta_blocks(network).values()
    return sum(block.choice == "compressed" for block in blocks) / len(blocks)
