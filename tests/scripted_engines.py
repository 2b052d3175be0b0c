"""Engines that compute nothing and take times that are worked out by hand: by the nodes of the ONNX graphs.

A convolution takes a microsecond a weight, a sum or a difference 5, a rectifier 1. What a map adds to the
whole of a delta frame, and no node tells of, is `of_a_map`.
"""

import math
from dataclasses import dataclass

import onnx
import torch
from torch import nn

import deltadistill as dd
from deltadistill.runtime.node_times import NodeTime

MICROSECONDS = {"Add": 5.0, "Sub": 5.0, "Relu": 1.0}
EXAMPLE = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def small_network() -> nn.Module:
    """Teachers take 36, 144 and 8 microseconds; students 35, 53 and 11, and as much more on key frames.

    Weights: 36, students' 6 + 24; 144, students' 24 + 24; 8, students' 4 + 2.
    """
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)
    )
    design = dd.LinearStudent(gamma=2, keep_dearer=True)
    return dd.convert(plain.eval(), design, where=dd.all_convolutions)


class Clock:
    """Nanoseconds that go by when a session is called."""

    def __init__(self):
        self.now = 0

    def __call__(self) -> int:
        return self.now


CLOCK = Clock()


def node_times(path) -> list[NodeTime]:
    graph = onnx.load(path).graph
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type == "Constant":
            sizes[node.output[0]] = math.prod(node.attribute[0].t.dims)
        if node.op_type == "Identity" and node.input[0] in sizes:
            sizes[node.output[0]] = sizes[node.input[0]]
        is_convolution = node.op_type == "Conv"
        microseconds = sizes[node.input[1]] if is_convolution else MICROSECONDS.get(node.op_type, 0.0)
        found.append(NodeTime((node.name,), microseconds / 1000))
    return found


@dataclass
class Session:
    graphs: object
    of_a_map: float

    def __post_init__(self):
        self.milliseconds = {
            name: sum(node.milliseconds for node in node_times(path))
            for name, path in self.graphs.onnx.items()
        }
        self.milliseconds["delta"] += self.of_a_map * len(self.graphs.maps)

    def _take(self, name):
        CLOCK.now += round(self.milliseconds[name] * 1e6)
        return []

    def frame(self, frame):
        return self._take("frame")

    def key(self, frame, *, into=None):
        return self._take("key"), ()

    def delta(self, frame, maps):
        return self._take("delta")


@dataclass
class Engine:
    """Without a profile."""

    of_a_map: float = 0.0

    def reason_against(self, graphs, *, precision, device):
        return None

    def open(self, graphs, *, threads, precision, device):
        return Session(graphs, self.of_a_map)


class ProfilingEngine(Engine):
    def profile(self, graphs, *, threads, precision, device, runs):
        return {name: node_times(path) for name, path in graphs.onnx.items()}


class NamelessEngine(Engine):
    def profile(self, graphs, *, threads, precision, device, runs):
        return {name: [NodeTime(("all of it",), 1.0)] for name in graphs.onnx}


PLAIN, PROFILING, NAMELESS = Engine(), ProfilingEngine(), NamelessEngine()
DEAR_MAPS = ProfilingEngine(of_a_map=0.2)
