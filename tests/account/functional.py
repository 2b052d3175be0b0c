"""A module of one function."""

from torch import nn


class Functional(nn.Module):
    """Layers by name, and a function of the inputs and them."""

    def __init__(self, function, **layers):
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs, **self.layers)
