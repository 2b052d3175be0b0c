"""Training of the gates of Skip-Convolutions: as few open places as the loss bears."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from deltadistill.blocks.delta_network import seat_of
from deltadistill.blocks.sessions import StreamSession
from deltadistill.blocks.skip_rule import position_macs
from deltadistill.data.frames import normalise
from deltadistill.distillation.companion import CompanionTraining
from deltadistill.forward.outputs import frame_outputs
from deltadistill.training.passes import Batch


@dataclass
class SkipGateTraining(CompanionTraining):
    """The companion is the gates (blocks/skip_gates.py), over clips as they will run over streams.

    skipping: a copy of the teacher whose convolutions have the gates. beta: what the MACs weigh that a later
    frame computes in these convolutions, as a share of all of theirs. steps: of the training.
    The weights of the end are the result, whatever they cost: what gates are judged by is score and cost.
    """

    skipping: nn.Module = field(kw_only=True)
    beta: float = field(kw_only=True)
    steps: int = field(kw_only=True)

    def may_be_best(self, steps_done: int) -> bool:
        """Only at the end: a gate that lets everything through has the best score."""
        return steps_done >= self.steps

    def observed(self, part: Batch) -> tuple[Any, dict[str, Tensor]]:
        """Outputs of the later frames, with gates drawn, and beta times the share of MACs."""
        session, shares, outputs = StreamSession(), [], []
        self.network.train()
        try:
            with seat_of(self.skipping).taken_by(session):
                for index, frames in enumerate(part["clip"].unbind(1)):
                    session.begin_frame(is_key_frame=index == 0, streams=len(frames))
                    output = frame_outputs(self.skipping, normalise(frames))
                    if index:
                        outputs.append(output)
                        shares.append(_computed_share(session))
        finally:
            self.network.eval()
        whole = tree_map(lambda *each: torch.cat(each) if isinstance(each[0], Tensor) else each[0], *outputs)
        return whole, {"cost": self.beta * torch.stack(shares).mean()}


def _computed_share(session: StreamSession) -> Tensor:
    """MACs of the last frame in convolutions that skip, as a share of all of theirs, mean over streams."""
    skipping = [(position_macs(block.teacher), state) for (block, _), state in session.state.items()]
    computed = torch.stack([each * positions.mean() for each, (*_, positions) in skipping]).sum()
    return computed / sum(each * z[0, 0].numel() for each, (_, z, *_) in skipping)
