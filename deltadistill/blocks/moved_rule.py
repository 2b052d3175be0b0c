"""Motion-compensated delta distillation: what the key frame left is moved along with the picture."""

from dataclasses import dataclass

from torch import Tensor

from deltadistill.blocks.delta_rule import DeltaRule, run_candidates
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.prediction import OfChange
from deltadistill.blocks.rule import Motion, Parts, Rule, State
from deltadistill.motion.warp import Warp


class MovedDeltaRule(DeltaRule):
    """z_t = warp(c_0, m_t) + g(x_t), c_0 = z_0 − g(x_0), for students g that are linear and have no bias.

    Motion is since the *key frame*: a Warp, or its flow; no map is moved twice. Without motion this is z_0 +
    g(x_t − x_0), and so it is in training.
    coarsest: maps of a lower resolution than the flow's over this stay where they are.
    """

    def __init__(self, coarsest: float = float("inf")):
        self.coarsest = coarsest

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """c_0; after `carry` also where it has moved."""
        return (z - run_candidates(parts, x, parts.choice),)

    def carry(self, state: State, motion: Motion) -> State:
        """Move c_0 along the motion since the key frame."""
        warp = motion if isinstance(motion, Warp) else Warp(motion)
        kept = state[0]
        if kept.dim() != 4 or len(kept) != len(warp.flow) or not self.moves(kept.shape[-2], warp.flow):
            return (kept,)
        return kept, warp(kept)

    def moves(self, height: int, flow: Tensor) -> bool:
        """Whether maps of this height are fine enough to be moved."""
        return height * self.coarsest >= flow.shape[-2]

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame; c_0 stays as the key frame left it."""
        return state[-1] + run_candidates(parts, x, parts.choice), state[:1]


@dataclass(frozen=True)
class MovedLinearStudent(LinearStudent):
    """Linear students whose cached maps move with the picture, on streams that give its motion.

    coarsest: see MovedDeltaRule.
    """

    coarsest: float = float("inf")

    def rule(self, predicts: str) -> Rule:
        """Make the rule; ValueError for features, which keep nothing that could be moved."""
        if predicts != OfChange.name:
            raise ValueError(f"moved students predict changes; got predicts {predicts!r}")
        return MovedDeltaRule(self.coarsest)
