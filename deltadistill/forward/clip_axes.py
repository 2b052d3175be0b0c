"""From clips to all their frames at once, and a network's output for these back to clips."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

_ADVICE = (
    "or give the network a method frame_outputs(frames) that returns the tensors with frames first, and pass "
    "run=frame_outputs (deltadistill.forward.outputs)"
)


def all_frames(clips: Any) -> Any:
    """All frames of tensors (N, T, …) in any tree, time first: (T·N, …).

    What `forward_clip` returns lies in this order already and is not copied.
    """
    return tree_map(lambda tensor: tensor.transpose(0, 1).flatten(0, 1), clips)


def later_frames(clips: Any) -> Any:
    """All frames but the key frames of tensors (N, T, …) in any tree, time first: ((T − 1)·N, …)."""
    return all_frames(tree_map(lambda tensor: tensor[:, 1:], clips))


def clip_axes(output: Any, clips: int, frames: int) -> Any:
    """Turn the output for T·N frames, time first, into the output for N clips of T frames.

    A tensor (T·N, …) becomes (N, T, …). A list or tuple with one entry per frame, as detectors return,
    becomes N lists of T entries. Other containers keep their type, and what holds no tensor stays as it
    is. A sequence of T·N tensors that all have T·N rows is taken for maps of all frames, not for entries
    per frame. Raises ValueError for tensors and objects that do not tell their frames apart.
    """
    count = clips * frames

    def regroup(part: Any) -> Any:
        if isinstance(part, Tensor):
            return _unfolded(part, clips, frames)
        if _is_per_frame(part, count):
            return [[part[t * clips + n] for t in range(frames)] for n in range(clips)]
        if is_dataclass(part) and not isinstance(part, type):
            return replace(part, **{f.name: regroup_tree(getattr(part, f.name)) for f in fields(part)})
        if part is None or isinstance(part, str | int | float | complex):
            return part
        raise ValueError(
            f"an output of type {type(part).__name__} cannot be divided into frames; return tensors, "
            f"or lists, tuples, dicts or dataclasses of them; {_ADVICE}"
        )

    def regroup_tree(tree: Any) -> Any:
        return tree_map(regroup, tree, is_leaf=lambda part: _is_per_frame(part, count))

    return regroup_tree(output)


def _unfolded(tensor: Tensor, clips: int, frames: int) -> Tensor:
    if tensor.dim() == 0 or tensor.shape[0] != clips * frames:
        raise ValueError(
            f"an output of shape {tuple(tensor.shape)} has no axis of {frames}·{clips} frames in front; "
            f"{_ADVICE}"
        )
    return tensor.unflatten(0, (frames, clips)).transpose(0, 1)


def _is_per_frame(part: Any, count: int) -> bool:
    if type(part) not in (list, tuple) or len(part) != count:
        return False
    if all(isinstance(entry, Mapping) for entry in part):
        return True  # one dict of boxes, labels and scores per frame
    tensors = [leaf for leaf in tree_leaves(part) if isinstance(leaf, Tensor)]
    return any(tensor.dim() == 0 or tensor.shape[0] != count for tensor in tensors)
