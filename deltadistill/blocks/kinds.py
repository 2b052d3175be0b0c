"""Kinds of layers that no linear student fits: the reason, and what to do."""

from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

_QUANTISED = (
    "is quantised, or trains for it; convert the network in floats, and quantise the one that `deploy` makes"
)
_BY_PACKAGE = {"torch.ao.": _QUANTISED, "torch.nn.quantized": _QUANTISED}

_NEVER_CALLED = (
    "holds weights that attention reads without a call; build the attention from Linear layers that it calls"
)
_STATE = "keeps a state of its own from step to step; it runs on every frame"
_DILATES = "has no student; it runs on every frame, unless it is an Upsample and a Conv2d when you train it"
_OTHER_AXES = "has no student; it runs on every frame"

_BY_TYPE: dict[type[nn.Module], str] = {
    NonDynamicallyQuantizableLinear: _NEVER_CALLED,
    nn.MultiheadAttention: _NEVER_CALLED,
    nn.Conv1d: f"{_OTHER_AXES}, unless it is a Conv2d with a kernel of (1, k) when you train it",
    nn.Conv3d: f"{_OTHER_AXES}; students are for networks that take one frame at a time",
    nn.ConvTranspose1d: _OTHER_AXES,
    nn.ConvTranspose2d: _DILATES,
    nn.ConvTranspose3d: _OTHER_AXES,
    nn.Bilinear: "has two inputs; it runs on every frame",
    nn.RNNBase: _STATE,
    nn.RNNCellBase: _STATE,
    nn.Embedding: "reads whole numbers, which have no small changes; it runs on every frame",
}

# Known by their names: the classes come from packages that need not be installed.
_BY_NAME = (
    ("Deform", "samples its input where a second one says; it runs on every frame"),
    ("FakeQuant", _QUANTISED),
)


def known_reason(module: nn.Module) -> str | None:
    """Say why layers of the kind of `module` have no linear student; None for kinds not listed here."""
    kind = type(module)
    reasons = [text for start, text in _BY_PACKAGE.items() if kind.__module__.startswith(start)]
    reasons += [text for listed, text in _BY_TYPE.items() if isinstance(module, listed)]
    reasons += [text for part, text in _BY_NAME if part in kind.__name__]
    if hasattr(module, "weight_fake_quant"):
        reasons.append(_QUANTISED)
    return f"{kind.__name__} {reasons[0]}" if reasons else None


def reason_against_kind(module: nn.Module) -> str | None:
    """Say why no linear student fits the kind of `module`; None where a Conv2d or a Linear may have one."""
    if reason := known_reason(module):
        return reason
    if isinstance(module, nn.Conv2d | nn.Linear):
        return None
    return f"{type(module).__name__} is neither Conv2d nor Linear"
