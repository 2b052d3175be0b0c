"""Trainings and evaluations keep all tensors on the network's device, checked on a pretended GPU.

Operators run on tensors that have a shape and a device but no values, so that no GPU is needed; one that
would meet tensors of two devices fails as it does on a GPU. The backward pass needs a real one.
"""

from contextlib import contextmanager

import pytest
import torch
from distributed.equal_trainings import CLIPS, KINDS, Streets, network_of
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.distillation.layer_errors import layer_errors
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import build
from deltadistill.processes.group import Group
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training.passes import Passes

GPU = torch.device("cuda", 0)
# Which pixels are hard depends on values, and so do shapes after that.
WITHOUT_VALUES = [kind for kind in KINDS if "hard" not in kind and kind not in ("finetuned", "teacher")]


class _Answers(TorchDispatchMode):
    """What is asked of a tensor without values (`.item()`) is 1."""

    def __torch_dispatch__(self, operator, types, arguments=(), named=None):
        if operator is torch.ops.aten._local_scalar_dense.default:
            return 1.0
        return operator(*arguments, **(named or {}))


@contextmanager
def pretended_gpu(*networks):
    """Put the networks on a GPU that is none, for the time of the with statement."""
    with FakeTensorMode(allow_non_fake_inputs=True), _Answers():
        for network in networks:
            for module in network.modules():
                for tensors in (module._parameters, module._buffers):
                    for name, tensor in tensors.items():
                        if tensor is not None:
                            tensors[name] = _like(tensor)
        yield


def _like(tensor):
    pretended = torch.empty(tensor.shape, dtype=tensor.dtype, device=GPU)
    return nn.Parameter(pretended) if isinstance(tensor, nn.Parameter) else pretended


def delta_network():
    network = dd.convert(network_of(), dd.LinearStudent(gamma=2), dd.inner_convolutions)
    return network.eval()


def test_a_tensor_that_is_left_behind_is_noticed():
    network, frames = network_of(), torch.zeros(1, 3, 8, 8)
    with pretended_gpu(network), pytest.raises(RuntimeError, match="same device"):
        network(frames)


@pytest.mark.parametrize("kind", WITHOUT_VALUES)
@pytest.mark.parametrize("frames_at_once", [None, 2])
@pytest.mark.parametrize("decided", [False, True])
def test_losses_are_computed_on_the_networks_device(kind, frames_at_once, decided):
    make, frames = KINDS[kind]
    trainee = make(Passes(Group(device=GPU), frames_at_once))
    for block in delta_blocks(trainee.network).values() if decided else ():
        block.decide("compressed")
    teacher = getattr(trainee, "teacher", None)
    batch = Streets(frames, range(CLIPS))[0]
    with pretended_gpu(trainee.network, *([teacher] if teacher else [])):
        passes = list(trainee.losses(3, batch))
        for terms in passes:
            assert {term.device for term in terms.values()} == {GPU}
            assert terms["loss"].requires_grad
        assert isinstance(trainee.optimised._totals(passes)["loss"], float)


def test_layer_errors_are_computed_on_the_networks_device():
    network, clips = delta_network(), torch.zeros(2, 3, 3, 8, 8)
    with pretended_gpu(network):
        assert list(layer_errors(network, _like(clips)).values()) == [1.0]


@pytest.mark.parametrize("predict", ["per_frame", "copy", "stream"])
def test_predictors_take_frames_from_the_processor_and_give_labels_back_to_it(predict):
    network, frame = delta_network(), torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    with pretended_gpu(network):
        predictor = build(predict, network, Segmentation(3))
        predictor.begin(StreamInfo(2, (8, 8), schedule=FixedPeriod(2)))
        for _ in range(3):
            labels = predictor.answer(FrameBatch(frame))
            assert labels.device.type == "cpu"
            assert labels.shape == (2, 8, 8)


def test_gates_are_made_where_the_teacher_is():
    with torch.device("meta"):
        on_meta = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1))
    converted = dd.convert(on_meta, dd.LinearStudent(gamma=2, initialisation="random"))
    assert {parameter.device.type for parameter in converted.parameters()} == {"meta"}
