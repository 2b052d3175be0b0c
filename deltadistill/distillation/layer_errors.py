"""Relative distillation error of every block on given clips."""

import torch
from torch import Tensor, nn

from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.sessions import ClipSession
from deltadistill.blocks.stream import forward_clip
from deltadistill.forward.clip_axes import later_frames
from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.teacher_pass import probe_teacher


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
