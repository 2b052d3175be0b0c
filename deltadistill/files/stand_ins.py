"""Objects of no consequence in files of weights, such as settings: something inert is read in their place.

None of their classes is looked up, none of their code runs; so it does not matter whether it is installed.
"""

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Iterable
from typing import Any

# Modules of which public checkpoints keep settings, paths, scores and logs beside the weights.
_MODULES = (
    "argparse", "datetime", "decimal", "mmengine.logging", "numpy", "omegaconf", "pathlib", "typing", "uuid",
)  # fmt: skip
_OBJECTS = {
    "_codecs.encode",  # PyTorch's own, for bytes; how it may be called is checked
    "builtins.bool", "builtins.bytes", "builtins.complex", "builtins.dict", "builtins.float", "builtins.int",
    "builtins.list", "builtins.set", "builtins.str", "builtins.tuple",
    "collections.Counter",
    "torch.torch_version.TorchVersion",
    "types.SimpleNamespace",
}  # fmt: skip
_MAPPINGS = {
    "addict.addict.Dict",
    "collections.defaultdict",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "mmcv.utils.config.ConfigDict",
    "mmengine.config.config.ConfigDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
}


class StandIn:
    """In the place of an object. `parts`: what it was made of, which may hold tensors."""

    stands_for = "an object"

    def __new__(cls, *parts: Any) -> "StandIn":  # noqa: D102, not every pickle calls __init__
        self = super().__new__(cls)
        self.parts = list(parts)
        return self

    def __init__(self, *_: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        self.parts.append(state)

    def __repr__(self) -> str:
        return f"<{self.stands_for}, not read>"


class _Mapping:
    """Makes a plain dict, whatever it is called with."""

    def __new__(cls, *_: Any) -> dict[Any, Any]:  # type: ignore[misc]
        return {}


def name_today(pickled: str) -> str:
    """The dotted name of what a pickle calls "module name"; torch.save calls things as Python 2 did."""
    module, _, name = pickled.partition(" ")
    return ".".join(NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name)))


def is_harmless(name: str) -> bool:
    """Whether a stand-in may take the place of what has this dotted name."""
    return name in _OBJECTS | _MAPPINGS or name.startswith(tuple(f"{module}." for module in _MODULES))


def stand_ins(names: Iterable[str]) -> list[tuple[Callable[..., Any], str]]:
    """Return what takes the place of each name, as torch.serialization.safe_globals wants it."""
    return [(_made(name), name) for name in sorted(names)]


def _made(name: str) -> Callable[..., Any]:
    base = _Mapping if name in _MAPPINGS else StandIn
    return type(name.rpartition(".")[2], (base,), {"stands_for": name})
