"""Measured peaks of calls whose memory is known, and of a graph in ONNX Runtime's arena."""

import sys

import pytest
import torch
from torch import nn

from deltadistill.account.arena import arena_bytes
from deltadistill.account.measured_memory import highest, process_bytes, pytorch_bytes
from deltadistill.account.memory import count_memory
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.onnx_graphs import write_graphs

KIB, MIB = 2**10, 2**20


def test_the_highest_sum_is_not_the_last():
    assert highest([5, 7, -5, 4, -11]) == 12
    assert highest([-5, 2]) == 0


def test_pytorch_holds_what_is_alive_at_once_beside_what_it_held_before(capfd):
    before = torch.zeros(100 * KIB)

    def run():
        first = before + 1  # 400 KiB
        second = torch.zeros(50 * KIB)  # and 200
        del first
        return second + 1  # and 200, when 400 are gone

    assert pytorch_bytes(run) == pytest.approx(600 * KIB, abs=KIB)  # scalars besides
    assert pytorch_bytes(lambda: before.add_(1)) < KIB
    assert capfd.readouterr() == ("", "")  # the profiler has much to say of GPUs


@pytest.mark.cuda
def test_the_allocator_of_a_gpu_counts_the_same():
    before = torch.zeros(MIB, device="cuda")  # 4 MiB

    def run():
        return (before + 1) + (before + 2)

    assert pytorch_bytes(run, "cuda") == 12 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_grows_by_what_is_touched():
    grown = process_bytes(lambda: torch.ones(16 * MIB))
    if grown is None:
        pytest.skip("this system does not let a process reset its peak")
    assert 60 * MIB < grown < 80 * MIB


def test_the_arena_of_onnx_runtime_is_the_theory_with_lifetimes(tmp_path):
    """Large maps, so that what kernels need besides is small; 1×1 kernels need nothing."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    convolution, pool = nn.Conv2d(3, 32, 1), nn.MaxPool2d(2)
    layers = convolution, nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 16, 1), pool, nn.Conv2d(16, 64, 1)
    network = nn.Sequential(*layers).eval()
    graph = write_graphs(delta_functions(network, torch.zeros(1, 3, 64, 64)), tmp_path)["frame"]
    theory = count_memory(network, (3, 64, 64)).peak_beside_inputs
    assert theory == (32 + 16) * 64 * 64 * 4
    assert arena_bytes(graph) == pytest.approx(theory, rel=0.2)


def test_a_graph_that_does_not_run_is_named_with_the_reason(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "graph.onnx").write_bytes(b"no graph")
    with pytest.raises(RuntimeError, match=r"graph\.onnx: ONNX Runtime did not run it: .*Protobuf"):
        arena_bytes(tmp_path / "graph.onnx")
