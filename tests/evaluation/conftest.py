"""A small teacher, and a delta network of it with one compressed layer."""

import pytest
import torch
from torch import nn

import deltadistill as dd


@pytest.fixture
def teacher():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
    ).eval()


@pytest.fixture
def delta(teacher):
    converted = dd.convert(teacher, dd.LinearStudent(gamma=4))
    converted[1].decide("compressed")
    return converted
