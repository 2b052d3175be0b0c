"""A network whose tensors all differ in shape, and files with its weights."""

from collections import OrderedDict

import torch
from torch import nn


def network(seed, *, channels=4):
    torch.manual_seed(seed)
    parts = OrderedDict(a=nn.Conv2d(3, channels, (1, 3)), bn=nn.BatchNorm2d(channels), c=nn.Linear(5, 2))
    made = nn.Sequential(parts)
    made.bn.running_mean += torch.rand(channels)
    made.bn.num_batches_tracked += seed
    return made.eval()


def weights(seed, before="", **size):
    return {f"{before}{name}": tensor for name, tensor in network(seed, **size).state_dict().items()}


def parameters(seed):
    return {name: parameter.detach() for name, parameter in network(seed).named_parameters()}


def saved(path, content):
    torch.save(content, path)
    return path


def seed_of(loaded):
    """Whose weights these are: all of them, to the bit."""
    tensors = loaded.state_dict()
    [seed] = [s for s in range(4) if all(torch.equal(v, tensors[n]) for n, v in weights(s).items())]
    return seed


def tensors_in(content):
    if isinstance(content, torch.Tensor):
        return 1
    if isinstance(content, dict):
        content = list(content.values())
    return sum(map(tensors_in, content)) if isinstance(content, list | tuple) else 0


def assert_accounted(report, content):
    """Every tensor of the file is loaded, unused for a reason or elsewhere."""
    unused = [name for name, why in report.reasons.items() if why != "not a tensor"]
    assert len(report.loaded) + len(unused) + len(report.elsewhere) == tensors_in(content)
    assert set(report.unused) == set(report.reasons)
