"""A delta network under what people run networks with: compilation, autocast, processes, copies, files."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from architectures import build
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks

STUDENTS = {
    "linear": (dd.LinearStudent(gamma=4), dd.inner_convolutions),
    "channel": (dd.ChannelStudent(gamma=2), dd.residual_blocks),
}


@pytest.fixture(params=STUDENTS)
def network(request):
    students, where = STUDENTS[request.param]
    network = dd.convert(build("ddrnet"), students, where)
    for index, block in enumerate(delta_blocks(network).values()):
        block.decide("compressed" if index % 3 else "uncompressed")
        if request.param == "channel":
            nn.init.normal_(block.compressed.out.weight, std=0.1)
    return network


@pytest.fixture
def clip():
    return torch.randn(2, 3, 3, 32, 48, generator=torch.Generator().manual_seed(2))


def streamed(network, clip):
    stream = dd.Stream(network, period=3)
    return torch.stack([stream(frame) for frame in clip.unbind(1)], dim=1)


def test_copies_and_pickles_run_alike_and_on_their_own(network, clip):
    expected = streamed(network, clip)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(streamed(twin, clip), expected)
        stream = dd.Stream(network, period=3)
        stream(clip[:, 0])
        streamed(twin, clip)  # must not touch the other network's stream
        torch.testing.assert_close(stream(clip[:, 1]), expected[:, 1])


@pytest.mark.parametrize("name", ["in place", "tokens"])
def test_compiled_networks_give_the_same_outputs(name, clip):
    network = dd.convert(build(name), dd.LinearStudent(gamma=2), dd.inner_layers)
    plain = dd.Stream(network, period=3)
    torch._dynamo.reset()
    compiled = dd.Stream(torch.compile(network, backend="aot_eager"), period=3)
    for frame in clip.unbind(1):
        torch.testing.assert_close(compiled(frame), plain(frame), rtol=1e-4, atol=1e-4)


def test_autocast_runs_in_low_precision_close_to_the_full_one(network, clip):
    with torch.no_grad():
        expected = dd.forward_clip(network, clip)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low, low_streamed = dd.forward_clip(network, clip), streamed(network, clip)
    assert low.dtype == torch.bfloat16
    assert (low - expected).norm() / expected.norm() < 0.05
    assert (low_streamed - expected).norm() / expected.norm() < 0.05


@pytest.mark.parametrize("kind", STUDENTS)
def test_half_precision_networks_convert_and_run(kind, clip):
    network = dd.convert(build("ddrnet").to(torch.bfloat16), *STUDENTS[kind])
    for block in delta_blocks(network).values():
        block.decide("compressed")
    assert dd.forward_clip(network, clip.to(torch.bfloat16)).dtype == torch.bfloat16


def test_distributed_training_gives_the_gradients_of_one_process(network, clip, tmp_path):
    single = copy.deepcopy(network)
    dd.forward_clip(single, clip).square().mean().backward()
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        parallel = DistributedDataParallel(network, find_unused_parameters=True)
        dd.forward_clip(parallel, clip).square().mean().backward()
    finally:
        distributed.destroy_process_group()
    for (name, ours), theirs in zip(network.named_parameters(), single.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


CONVERTED_AND_TRAINED = """
import sys
import torch
from torch import nn
import deltadistill as dd
from deltadistill.account.training_macs import TrainingMacs
from deltadistill.training.optimiser import build

network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
second = dd.matching(lambda name, module: name == "2")
network = dd.convert(network, dd.LinearStudent(gamma=2), second, example=torch.randn(1, 3, 8, 8))
for name in ("adamw", "sgd", "adam"):
    optimiser = build(name, [(network.parameters(), 0.1)], weight_decay=0.0, momentum=0.9)
    optimiser.zero_grad(set_to_none=True)
    with TrainingMacs():
        network(torch.randn(2, 3, 8, 8)).square().mean().backward()
    optimiser.step()
    optimiser.load_state_dict(optimiser.state_dict())
print(sorted({"torch._dynamo", "sympy"} & set(sys.modules)))
"""


def test_converting_and_training_do_not_wait_for_pytorchs_compiler():
    said = subprocess.run(
        [sys.executable, "-c", CONVERTED_AND_TRAINED], capture_output=True, text=True, check=False
    )
    assert (said.stdout, said.returncode) == ("[]\n", 0), said.stderr
