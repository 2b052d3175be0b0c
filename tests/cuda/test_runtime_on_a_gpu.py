"""On a GPU: the same answers as on the processor, state on the device, and no wait or copy per block."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.running import load

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()]
    plain = nn.Sequential(*layers, *(nn.Conv2d(16, 16, 3, padding=1) for _ in range(6))).eval()
    network = dd.convert(plain, dd.LinearStudent(gamma=2), where=dd.all_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


@pytest.mark.parametrize("engine", ["eager", "compile"])
def test_a_gpu_says_what_the_processor_says(network, engine):
    clip = torch.rand(5, 1, 3, 32, 48)
    stream = dd.Stream(network, period=3)
    expected = [stream(frame) for frame in clip]
    with load(network.cuda(), clip[0].cuda()) as loaded:
        running = loaded.running(engine, device="cuda")
        for number, frame in enumerate(clip.cuda()):
            if number % 3 == 0:
                output, maps = running.key(frame)
            else:
                output = running.delta(frame, maps)
            assert output.is_cuda
            assert all(each.is_cuda for each in maps)
            torch.testing.assert_close(output.cpu(), expected[number], rtol=1e-3, atol=1e-3)


def test_a_delta_frame_neither_waits_nor_copies_to_the_host(network):
    frame = torch.rand(1, 3, 32, 48, device="cuda")
    functions = delta_functions(network.cuda(), frame)
    maps = tuple(functions.maps.values())
    with torch.inference_mode():
        functions.delta(frame, *maps)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")  # whatever waits for the GPU raises
        try:
            with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
                functions.delta(frame, *maps)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    copies = [event.key for event in seen.key_averages() if "Memcpy" in event.key and "DtoH" in event.key]
    assert copies == []


def test_a_stream_keeps_its_state_on_the_gpu(network):
    stream = dd.Stream(network.cuda(), period=4)
    for frame in np.random.default_rng(0).random((5, 1, 3, 32, 48), dtype=np.float32):
        assert stream(torch.from_numpy(frame).cuda()).is_cuda
    assert all(t.is_cuda for state in stream._session.state.values() for t in state)
