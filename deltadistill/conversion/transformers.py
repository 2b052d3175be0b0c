"""Selectors for vision transformers: whole networks, and the blocks that these are made of."""

from torch import nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.models.vit_block import is_vit_block
from deltadistill.models.vit_form import has_vit_form


def vision_transformers(network: nn.Module) -> list[str]:
    """Select the vision transformers in a network, which may be one itself, as a whole.

    Without any, the network itself, so that the report says why it is none.
    """
    found = [name for name, module in network.named_modules() if has_vit_form(module)]
    return found or [""]


def transformer_blocks(network: nn.Module) -> list[str]:
    """Select the blocks of vision transformers, attention and MLP each."""
    modules = network.named_modules()
    return [n for n, module in modules if is_vit_block(module) and not isinstance(module, DeltaBlock)]


def transformer_mlps(network: nn.Module) -> list[str]:
    """Select the MLPs of the blocks of vision transformers."""
    return [f"{name}.mlp" if name else "mlp" for name in transformer_blocks(network)]
