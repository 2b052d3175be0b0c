"""Motion-compensated delta distillation: what the key frame left is moved along with the picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.delta_rule import DeltaRule, run_candidates
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.prediction import OfChange
from deltadistill.blocks.rule import Motion, Parts, Rule, State
from deltadistill.blocks.straight_through import Choice
from deltadistill.motion.warp import Warp


class MovedDeltaRule(DeltaRule):
    """z_t = warp(c_0, m_t) + g(x_t), c_0 = z_0 − g(x_0), for students g that are linear and have no bias.

    Motion is since the *key frame*: a Warp, or its flow; no map is moved twice. Without motion this is z_0 +
    g(x_t − x_0). Learnt under motion, g(x_t) − warp(g(x_0), m_t) is what the moved output lacks of z_t.
    coarsest: maps of a lower resolution than the flow's over this stay where they are.
    """

    def __init__(self, coarsest: float = float("inf")):
        self.coarsest = coarsest

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """c_0; after `carry` also where it has moved."""
        return (z - run_candidates(parts, x, parts.choice),)

    def carry(self, state: State, motion: Motion) -> State:
        """Move c_0 along the motion since the key frame."""
        kept = state[0]
        moved = self._moved(kept, motion)
        return (kept,) if moved is kept else (kept, moved)

    def moves(self, height: int, flow: Tensor) -> bool:
        """Whether maps of this height are fine enough to be moved."""
        return height * self.coarsest >= flow.shape[-2]

    def predict_along(
        self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice, motion: Motion
    ) -> Tensor:
        """g(x) − warp(g(x_key)): what is missing of the teacher's output where the key frame's has moved."""
        both = run_candidates(parts, torch.cat([x_key, x]), choice)
        key, later = both.split([len(x_key), len(x)])
        return later - self.reference(key, motion)

    def reference(self, z_key: Tensor, motion: Motion) -> Tensor:
        """The key frames' outputs, for each later frame where its motion has taken them."""
        flows = len(_warp(motion).flow)
        times, rest = divmod(flows, len(z_key))
        return z_key if rest else self._moved(z_key.repeat(times, *[1] * (z_key.dim() - 1)), motion)

    def _moved(self, maps: Tensor, motion: Motion) -> Tensor:
        """The maps where the picture has gone; as they are where they are no maps of it, or too coarse."""
        warp = _warp(motion)
        if maps.dim() != 4 or len(maps) != len(warp.flow) or not self.moves(maps.shape[-2], warp.flow):
            return maps
        return warp(maps)

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame; c_0 stays as the key frame left it."""
        return state[-1] + run_candidates(parts, x, parts.choice), state[:1]


def movable(network: nn.Module) -> list[str]:
    """Names of the blocks of linear students of changes that are compressed: what they keep can be moved."""
    return [
        name
        for name, block in delta_blocks(network).items()
        if type(block.rule) is DeltaRule and block.choice == COMPRESSED
    ]


def _warp(motion: Motion) -> Warp:
    return motion if isinstance(motion, Warp) else Warp(motion)


@contextmanager
def maps_moved(network: nn.Module, *, coarsest: float | None = None) -> Iterator[None]:
    """Inside, what linear students of changes keep moves along the motion, where there is any.

    coarsest: see MovedDeltaRule; None: all maps move.
    """
    rule = MovedDeltaRule(float("inf") if coarsest is None else coarsest)
    blocks = [block for block in delta_blocks(network).values() if type(block.rule) is DeltaRule]
    if not blocks:
        raise ValueError(
            "motion is for linear students that predict changes, and the network has none; give no motion"
        )
    for block in blocks:
        block.rule = rule
    try:
        yield
    finally:
        for block in blocks:
            block.rule = DeltaRule()


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
