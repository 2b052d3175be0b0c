"""The two layers of a transformer's MLP, whoever built it: z = second(act(first(x)))."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deltadistill.forward.modes import evaluation_mode

_SAME = 1e-4  # of the output's largest value: what is left is rounding


@dataclass(frozen=True)
class MlpForm:
    """Layers of an MLP on tokens (…, D); what rests in use, such as dropout, is left out."""

    first: nn.Linear
    act: nn.Module
    second: nn.Linear


def mlp_form(module: nn.Module) -> MlpForm:
    """The layers of an MLP; ValueError, which says why, for a module that is more or less than that.

    Layers whose weights have no values are taken at their word.
    """
    leaves = [each for each in module.modules() if not list(each.children())]
    layers = [each for each in leaves if not isinstance(each, nn.Dropout | nn.Identity)]
    match layers:
        case [nn.Linear() as first, act, nn.Linear() as second] if not list(act.parameters()):
            form = MlpForm(first, act, second)
            _require_same(module, form)
            return form
    raise ValueError(
        f"{type(module).__name__} has the layers {[type(each).__name__ for each in layers]}; expected "
        "those of an MLP: a Linear, an activation without weights, a Linear"
    )


@torch.no_grad()
def _require_same(module: nn.Module, form: MlpForm) -> None:
    weight = form.first.weight
    if weight.is_meta:
        return
    x = torch.randn(1, 3, weight.shape[1], generator=torch.Generator().manual_seed(0)).to(weight)
    with evaluation_mode(module):
        wanted, made = _output(module, x), form.second(form.act(form.first(x)))
    if wanted.shape != made.shape or (made - wanted).abs().max() > _SAME * wanted.abs().max():
        raise ValueError(f"{type(module).__name__} does more with its two layers than run them in turn")


def _output(module: nn.Module, x: Tensor) -> Tensor:
    output = module(x)
    return output if isinstance(output, Tensor) else x.new_empty(0)
