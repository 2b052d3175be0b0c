"""What a network's outputs mean, as one of a few forms: boxes, labels, a map, classes or plain tensors.

A decoder takes the outputs for one frame, as arrays (1, …) in the network's own structure, and returns a
mapping that says by its keys which form it is, in the pixels of the network's frame:

    boxes (n, 4) left, top, right, bottom; scores (n,), labels (n,) where there are any
    label_map (h, w), whole numbers
    map (h, w), one number a pixel
    classes (k,), scores (k,), the likeliest first
    tensors, by name
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Decode = Callable[[Any], Mapping[str, Any]]
_LIKELIEST = 5


def boxes(outputs: Any) -> Mapping[str, Any]:
    """Boxes of a dictionary as torchvision's detectors return it, alone or as a list of one per picture."""
    found = outputs[0] if isinstance(outputs, Sequence) and len(outputs) == 1 else outputs
    if not isinstance(found, Mapping) or "boxes" not in found:
        raise ValueError(
            f"the decoder boxes takes a dictionary of boxes, scores and labels, and the network returned "
            f"{described(outputs)}; write a function and name it in the adapter (decoder: file.py:function)"
        )
    return {key: np.asarray(found[key]) for key in ("boxes", "scores", "labels") if key in found}


def labels(outputs: Any) -> Mapping[str, Any]:
    """The likeliest class of every pixel, of scores (1, K, h, w), or labels (1, h, w) as they are."""
    array = first(outputs)
    if array.ndim == 4 and array.shape[1] > 1:
        return {"label_map": array[0].argmax(0).astype(np.int32)}
    is_flat = array.ndim >= 2 and array.size == np.prod(array.shape[-2:])
    if not (is_flat and np.issubdtype(array.dtype, np.integer)):
        raise ValueError(
            f"the decoder labels takes scores (1, K, h, w) or labels (1, h, w), and the network returned "
            f"{described(outputs)}; name another decoder"
        )
    return {"label_map": array.reshape(array.shape[-2:]).astype(np.int32)}


def number_map(outputs: Any) -> Mapping[str, Any]:
    """One number a pixel, of an array (1, 1, h, w) or (1, h, w): edges, depth, a mask."""
    array = first(outputs)
    if array.ndim < 2 or array.size != np.prod(array.shape[-2:]):
        raise ValueError(
            f"the decoder map takes an array (1, 1, h, w), and the network returned {described(outputs)}; "
            "name another decoder"
        )
    return {"map": array.reshape(array.shape[-2:]).astype(np.float32)}


def classes(outputs: Any) -> Mapping[str, Any]:
    """The likeliest classes of the whole picture, of scores (1, K) before softmax."""
    array = first(outputs)
    if array.ndim != 2:
        raise ValueError(
            f"the decoder classes takes scores (1, K), and the network returned {described(outputs)}; "
            "name another decoder"
        )
    shares = np.exp(array[0] - array[0].max())
    order = np.argsort(-shares, kind="stable")[:_LIKELIEST]
    return {"classes": order, "scores": shares[order] / shares.sum()}


def tensors(outputs: Any) -> Mapping[str, Any]:
    """The arrays as they are, by where they are in the outputs."""
    return {"tensors": dict(leaves(outputs))}


def by_form(outputs: Any) -> Mapping[str, Any]:
    """What the form of the outputs suggests, where no decoder is named."""
    found = outputs[0] if isinstance(outputs, Sequence) and len(outputs) == 1 else outputs
    if isinstance(found, Mapping) and "boxes" in found:
        return boxes(outputs)
    arrays = [array for _, array in leaves(outputs)]
    if len(arrays) != 1:
        return tensors(outputs)
    if arrays[0].ndim == 4 and arrays[0].shape[1] > 1:
        return labels(outputs)
    if arrays[0].ndim in (3, 4):
        is_whole = np.issubdtype(arrays[0].dtype, np.integer)
        return labels(outputs) if is_whole else number_map(outputs)
    return classes(outputs) if arrays[0].ndim == 2 else tensors(outputs)


def first(outputs: Any) -> np.ndarray:
    """The first array of the outputs; ValueError where there is none."""
    for _, array in leaves(outputs):
        return array
    raise ValueError("the network returned no array")


def leaves(outputs: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a structure of dictionaries, lists and tuples, with where they are: "out", "0.boxes"."""
    if isinstance(outputs, Mapping):
        items = outputs.items()
    elif isinstance(outputs, list | tuple):
        items = enumerate(outputs)
    else:
        yield name or "output", np.asarray(outputs)
        return
    for key, value in items:
        yield from leaves(value, f"{name}.{key}" if name else str(key))


def described(outputs: Any) -> str:
    """The arrays of the outputs by name and shape, for messages."""
    return ", ".join(f"{name} {tuple(array.shape)}" for name, array in leaves(outputs)) or "nothing"
