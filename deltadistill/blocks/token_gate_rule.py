"""Token gates (Eventful Transformers, Dutson et al., 2023): a block computes tokens that changed enough."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.rule import Parts, Rule, State
from deltadistill.models.vit_block import vit_block


class TokenGateRule(Rule):
    """Queries, keys and values, the projection and the MLP read references, which only some tokens renew.

    A token joins a reference where ‖token − reference‖ is above `threshold` times the mean norm of the key
    frame's tokens there; what is dropped stays in the difference. Attention is that of the references, for
    which products of renewed rows and columns are enough: scores of pairs with a renewed token, and sums of
    exponentials from which renewed keys are taken out and into which they are put again. State: the three
    references, their levels, and (N, 3) tokens that the last frame renewed, 0 after a key frame.
    Everything is computed here, with masks, and counted as computed where it is needed. The paper also takes
    the r tokens that changed most, and leaves the rest of an attention row as it was normalised before.
    """

    def __init__(self, threshold: float):
        self.threshold = threshold

    def key(self, parts: Parts, x: Tensor) -> tuple[Tensor, State]:
        """The block in full, and its references."""
        block = vit_block(parts.teacher)
        normed = block.norm_1(x)
        attended = block.attend(normed)
        y = x + block.scale_1(block.project(attended))
        inner = block.norm_2(y)
        references = (normed, attended, inner)
        levels = torch.stack([each.norm(dim=-1).mean(-1) for each in references], -1)
        z = y + block.scale_2(block.mlp(inner))
        return z, (*references, self.threshold * levels, torch.zeros_like(levels))

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """As after a key frame."""
        return self.key(parts, x)[1]

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame, and the state for the next one."""
        block = vit_block(parts.teacher)
        first, second, third, levels, _ = state
        first, renewed_1 = _renewed(block.norm_1(x), first, levels[:, 0])
        second, renewed_2 = _renewed(block.attend(first), second, levels[:, 1])
        y = x + block.scale_1(block.project(second))
        third, renewed_3 = _renewed(block.norm_2(y), third, levels[:, 2])
        z = y + block.scale_2(block.mlp(third))
        return z, (first, second, third, levels, torch.stack([renewed_1, renewed_2, renewed_3], -1))


def _renewed(tokens: Tensor, reference: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """The reference (N, L, D) with what has changed by more than `level` (N,); how many tokens that is."""
    gate = (tokens - reference).norm(dim=-1) > level[:, None]
    return torch.where(gate[..., None], tokens, reference), gate.sum(-1).to(tokens)


def gated_macs(block: nn.Module, state: State) -> float:
    """MACs of the last frame of a stream in one block, mean over streams: of renewed tokens, and of gates.

    Of c renewed of L tokens: scores of the pairs that they are in, L² − (L − c)², and values: c whole rows,
    and for every other row c taken out and c put in, L² at most. A gate reads every value of its tokens once.
    """
    first, second, third, _, renewed = state
    length, width = second.shape[1:]
    of_mlp = _weights(block.get_submodule("mlp"))
    projection = width * first.shape[-1]
    heads = _weights(block) - of_mlp - projection
    inputs, outputs, inner = renewed.double().unbind(-1)
    scores = length**2 - (length - inputs) ** 2
    values = (inputs * length + 2 * (length - inputs) * inputs).clamp_max(length**2)
    gates = first[0].numel() + second[0].numel() + third[0].numel()
    macs = inputs * heads + (scores + values) * width + outputs * projection + inner * of_mlp + gates
    return macs.mean().item()


def _weights(module: nn.Module) -> int:
    """Elements of its matrices: what they multiply a token with."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.dim() == 2)


@dataclass(frozen=True)
class TokenGate(StudentDesign):
    """Blocks of vision transformers that compute what has changed; nothing is trained.

    threshold: relative to the mean norm of the key frame's tokens; 0 computes every token that has changed.
    """

    threshold: float

    def __post_init__(self) -> None:
        if self.threshold < 0:
            raise ValueError(f"threshold {self.threshold} of token gates must be at least 0")

    def reason_against(self, module: nn.Module) -> str | None:
        """Blocks whose parts are known only."""
        try:
            vit_block(module)
        except ValueError as error:
            return str(error)
        return None

    def rule(self, predicts: str) -> Rule:
        """Make the rule; there is nothing to predict, so that `predicts` decides nothing."""
        return TokenGateRule(self.threshold)
