"""Network files: weights and all that is needed to build the network again."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deltadistill.files import atomic
from deltadistill.files.tensors import read_tensors

FORMAT = 1
_MODEL = {"name", "classes", "options"}
_PARTS = {"model", "architecture", "state_dict"}
_FLOATS = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}


def save_network(
    path: Path, network: nn.Module, model: Mapping[str, Any], *, architecture: Mapping[str, Any] | None = None
) -> None:
    """Write a per-frame or a deployed delta network: weights and all that is needed to build it again.

    model: {"name", "classes", "options"} of models.build; options may be {}.
    architecture: what `found_architecture` returns for a deployed delta network, which needs it, or
        `early_architecture` for a student of `pool_earlier`.
    Raises ValueError, before anything is written, for what `load_network` could not build again.
    """
    _require_parts(model)
    _require_architecture(network, architecture)
    content = {
        "format": FORMAT,
        "model": dict(model),
        "architecture": dict(architecture) if architecture else None,
        "state_dict": network.state_dict(),
    }
    if dtypes := _dtypes_beside(network):
        content["dtypes"] = dtypes
    buffer = io.BytesIO()  # on a full disk torch.save into a file tells of a wrong position, not of the disk
    torch.save(content, buffer)
    with atomic.file(path) as unfinished:
        atomic.write_bytes(unfinished, buffer.getbuffer())


def _dtypes_beside(network: nn.Module) -> dict[str, str]:
    """The types of what is no part of the state dict, where `models.build` would give other ones."""
    saved = network.state_dict().keys()
    beside = {name: buffer for name, buffer in network.named_buffers() if name not in saved}
    return {
        name: str(buffer.dtype).removeprefix("torch.")
        for name, buffer in beside.items()
        if buffer.is_floating_point() and buffer.dtype != torch.float32
    }


def _require_parts(model: Mapping[str, Any]) -> None:
    if missing := sorted(_MODEL - set(model)):
        raise ValueError(
            f"model is without {', '.join(missing)}, got {dict(model)}; expected the arguments of "
            'models.build: {"name": …, "classes": …, "options": {…}}, with {} for no options'
        )


def _require_architecture(network: nn.Module, architecture: Mapping[str, Any] | None) -> None:
    # by what they can, not by their class: pretraining writes these files and depends on no block
    modules = dict(network.named_modules())
    blocks = {name: block for name, block in modules.items() if hasattr(type(block), "drop_unused")}
    if undecided := [name for name, block in blocks.items() if block.gate is not None]:
        raise ValueError(
            f"the network is not deployed: {undecided[:3]} have both candidates; save dd.deploy(network)"
        )
    described = set((architecture or {}).get("blocks", {}))
    if described != set(blocks):
        raise ValueError(
            f"the architecture describes {len(described)} blocks and the network has {len(blocks)}, other "
            "ones; pass architecture=dd.found_architecture(network, students) for a delta network, None for "
            "a per-frame one"
        )


def read_network_file(path: str | Path) -> dict[str, Any]:
    """Return the content of a file that `save_network` wrote; no code from it is executed.

    Raises ValueError that names the file and what is wrong with it."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such network file; run the stage that trains it first")
    try:
        content = read_tensors(path, checksums=True)
    except ValueError as error:
        raise ValueError(
            f"{path}: not a readable network file: {error}; expected a file that save_network wrote; copy it "
            "again or run the stage that trains it"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path}: not a network file of format {FORMAT}; was it written by save_network?")
    if missing := sorted(_PARTS - content.keys()):
        raise ValueError(f"{path}: a network file without {', '.join(missing)}; write it with save_network")
    fault = _fault(content["model"], content["architecture"], content["state_dict"])
    if fault := fault or _fault_of_dtypes(content.get("dtypes", {})):
        raise ValueError(f"{path}: a network file in which {fault}; write it with save_network")
    return content


def _fault(model: Any, architecture: Any, weights: Any) -> str | None:
    """What is no content of a network file, in words."""
    if not isinstance(model, dict) or not model.keys() >= _MODEL:
        return f"the model is {model!r:.100}, not its name, classes and options"
    if type(model["name"]) is not str or type(model["classes"]) is not int or model["classes"] < 1:
        return f"the model is {model['name']!r:.100} of {model['classes']!r:.100} classes"
    if not isinstance(model["options"], dict) or not all(isinstance(key, str) for key in model["options"]):
        return f"the model's options are {model['options']!r:.100}, not values by name"
    if not isinstance(architecture, dict | None):
        return f"the architecture is of type {type(architecture).__name__}"
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in weights.items()
    ):
        return "the state dict holds other things than tensors by name"
    return None


def _fault_of_dtypes(dtypes: Any) -> str | None:
    known = isinstance(dtypes, dict) and all(dtype in list(_FLOATS) for dtype in dtypes.values())
    if not known:
        return f"the types of buffers are {dtypes!r:.100}, not some of {', '.join(_FLOATS)} by name"
    return None


def take_dtypes(network: nn.Module, content: Mapping[str, Any], *, source: str) -> None:
    """Give parameters and buffers the types that they have in the content of a network file.

    Raises ValueError, which names the source, for a parameter of whole numbers.
    """
    dtypes = {name: tensor.dtype for name, tensor in content["state_dict"].items()}
    dtypes |= {name: _FLOATS[dtype] for name, dtype in content.get("dtypes", {}).items()}
    for name, parameter in network.named_parameters():
        if not dtypes.get(name, parameter.dtype).is_floating_point:
            raise ValueError(f"{source}: {name} is of type {dtypes[name]}; a parameter has floating point")
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        tensor.data = tensor.data.to(dtypes.get(name, tensor.dtype))


def load_weights_into(network: nn.Module, weights: Mapping[str, torch.Tensor], *, source: str) -> None:
    """Load a state dict that must fit exactly; ValueError names the source and the first misfits."""
    own = network.state_dict()
    misfits = [f"{name} is missing" for name in own if name not in weights]
    misfits += [f"{name} is not part of the network" for name in weights if name not in own]
    misfits += [
        f"{name} has shape {tuple(weights[name].shape)}, the network {tuple(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    if misfits:
        shown = "; ".join(misfits[:3]) + (f"; and {len(misfits) - 3} more" if len(misfits) > 3 else "")
        raise ValueError(f"{source}: the weights do not fit the network: {shown}")
    network.load_state_dict(weights)
