"""Which convolutions of a published network its authors converted."""

from __future__ import annotations

from torch import nn


def published_convolutions(network: nn.Module) -> list[str]:
    """Select the convolutions that the paper's code converts, in the order of registration.

    A network may carry `excluded_layers`, the names of those that are too critical (§3.2) or too cheap to
    convert; elsewhere they are the first and the last. Serves as `where` of `deltadistill.convert`.
    """
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    excluded = getattr(network, "excluded_layers", (*names[:1], *names[-1:]))
    unknown = sorted(set(excluded) - set(names))
    if unknown:
        raise ValueError(f"excluded_layers names no convolutions of the network: {unknown[:5]}")
    return [name for name in names if name not in excluded]
