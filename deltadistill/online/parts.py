"""Which part of a student's parameters learns from a frame: all, the last, or the largest gradients'."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

Part = Literal["all", "last", "largest"]
"""Of the parameters. "last": those nearest to the output, as the network lists them. "largest": of each
labelled frame those whose gradient is largest at its first step (Khani et al., AMS, ICCV 2021)."""


def require_part(part: str, share: float) -> None:
    """Raise ValueError for a part and a share of the parameters that cannot be meant."""
    if part not in get_args(Part):
        raise ValueError(f"part {part!r} is unknown; allowed: {', '.join(get_args(Part))}")
    if not 0 < share <= 1 or (part == "all" and share != 1):
        raise ValueError(
            f"part {part!r} with share {share}: a share of the parameters is above 0 and at most 1, of all "
            "of them 1"
        )


def last_parameters(network: nn.Module, share: float) -> list[nn.Parameter]:
    """As many whole parameters from the end as make up at least `share` of all values; at least one."""
    parameters = list(network.parameters())
    wanted, found = share * sum(each.numel() for each in parameters), 0
    chosen: list[nn.Parameter] = []
    for parameter in reversed(parameters):
        if found >= wanted and chosen:
            break
        chosen.append(parameter)
        found += parameter.numel()
    return chosen[::-1]


def largest_gradients(gradients: Sequence[Tensor | None], share: float) -> list[Tensor | None]:
    """Masks, bool, of the `share` of all values whose gradient is largest; of no gradient, None.

    The count is rounded up; of equal ones at the limit all are in.
    """
    sizes = [each.abs().flatten() for each in gradients if each is not None]
    every = torch.cat(sizes)
    count = -int(-share * len(every) // 1)
    limit = every.kthvalue(len(every) - count + 1).values
    return [None if each is None else each.abs() >= limit for each in gradients]
