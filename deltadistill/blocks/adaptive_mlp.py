"""An MLP cut into learners, and a gate that says how many of them a token runs (ACM)."""

from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.mlp_form import MlpForm
from deltadistill.forward.modes import copy_with_modes

_LEAD = 0.1  # of the logit of full width before anything is learnt


class AdaptiveMlp(nn.Module):
    """Learners h_0, h_1, … whose sum is the MLP without its last bias, and the gate of their number.

    Hidden units are dealt out by ‖row of the first layer‖ · ‖column of the second‖, largest first, so that
    each learner refines those before it. The gate begins at full width for every token, where the sum is
    exact. `widths` hands on the widths of a training's tokens, for an objective to see.
    """

    def __init__(self, form: MlpForm, *, learners: int, gate: int):
        super().__init__()
        first, second = form.first, form.second
        like: dict[str, Any] = {"device": first.weight.device, "dtype": first.weight.dtype}
        order = (first.weight.norm(dim=1) * second.weight.norm(dim=0)).argsort(descending=True)
        shares = order.tensor_split(learners)
        self.inner = nn.ModuleList(_rows(first, units, like) for units in shares)
        self.outer = nn.ModuleList(_columns(second, units, like) for units in shares)
        self.act = copy_with_modes(form.act)
        self.gate = nn.Sequential(
            nn.Linear(first.in_features, gate, **like), nn.ReLU(), nn.Linear(gate, learners + 1, **like)
        )
        self.widths = nn.Identity()
        _start(self.gate)

    def parts(self, x: Tensor) -> Tensor:
        """What every learner makes of tokens (…, D); (…, learners, D')."""
        made = [out(self.act(into(x))) for into, out in zip(self.inner, self.outer, strict=True)]
        return torch.stack(made, -2)

    def running(self, change: Tensor) -> Tensor:
        """1 for the learners that run of a token whose input changed by `change` (…, D), else 0.

        (…, learners). The gate sees magnitudes, chooses its likeliest number, and has the gradient of its
        probabilities (straight-through).
        """
        soft = self.gate(change.abs()).softmax(-1)
        hard = nn.functional.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft)
        drawn = hard + (soft - soft.detach())
        return drawn.flip(-1).cumsum(-1).flip(-1)[..., 1:]  # of width k or more, k from 1

    @property
    def learner_macs(self) -> list[int]:
        """MACs of each learner on one token."""
        return [_macs(into) + _macs(out) for into, out in zip(self.inner, self.outer, strict=True)]

    @property
    def gate_macs(self) -> int:
        """MACs of the gate on one token."""
        return _macs(self.gate[0]) + _macs(self.gate[-1])


def _macs(layer: Any) -> int:
    weight: Tensor = layer.weight
    return weight.numel()


@torch.no_grad()
def _start(gate: Any) -> None:
    """Full width for every token, by little: a gate that is sure takes hundreds of steps to learn otherwise.

    Hidden units begin as weighted sums of magnitudes, so that they tell large changes from small ones.
    """
    gate[0].weight.abs_()
    gate[-1].weight.zero_()
    gate[-1].bias.zero_()
    gate[-1].bias[-1] = _LEAD


@torch.no_grad()
def _rows(layer: nn.Linear, units: Tensor, like: dict[str, Any]) -> nn.Linear:
    """A layer with some of another's outputs."""
    made = nn.Linear(layer.in_features, len(units), bias=layer.bias is not None, **like)
    made.weight.copy_(layer.weight[units])
    if layer.bias is not None:
        made.bias.copy_(layer.bias[units])
    return made


@torch.no_grad()
def _columns(layer: nn.Linear, units: Tensor, like: dict[str, Any]) -> nn.Linear:
    """A layer with some of another's inputs, and without its bias, which no change has."""
    made = nn.Linear(len(units), layer.out_features, bias=False, **like)
    made.weight.copy_(layer.weight[:, units])
    return made
