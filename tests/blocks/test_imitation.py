"""A block passes for what it replaces: for isinstance, in copies and pickles, traced and compiled."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import deltadistill as dd
from deltadistill.blocks import imitation
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.imitation import OWN_ATTRIBUTES, passing_for
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.nonlinear_rule import NonlinearRule
from deltadistill.blocks.seat import Seat

STUDENT = LinearStudent(gamma=4)


class Tagged(nn.Conv2d):
    """A convolution with more than a convolution has, part of it in methods that nn.Module has too."""

    tag = "inner"

    def twice(self):
        return 2 * self.out_channels

    def retag(self, tag):
        self.tag = tag

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        state_dict[f"{prefix}weight"] = state_dict.pop(f"{prefix}kernel")
        super()._load_from_state_dict(state_dict, prefix, *rest)


@pytest.fixture(autouse=True)
def classes_of_ones_own():
    """Classes are kept for the next block of a type: here each test makes its own."""
    imitation._class_for.cache_clear()


def block_of(teacher, predicts="delta"):
    return passing_for(DeltaBlock, teacher)(teacher, STUDENT, Seat(), predicts=predicts)


class Asks(nn.Module):
    """Runs those of its children that are convolutions, and their activations."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(
            [nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, (3, 2)), nn.Conv2d(16, 4, 1)]
        )

    def forward(self, x):
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                x = layer(x)
        return x


@pytest.mark.parametrize("predicts", ["delta", "feature"])
@pytest.mark.parametrize("teacher", [nn.Conv2d(4, 8, 3), nn.Linear(4, 8), Tagged(4, 8, 3)])
def test_a_block_is_an_instance_of_its_own_type_and_of_its_teachers(teacher, predicts):
    block = block_of(teacher, predicts)
    assert isinstance(block, DeltaBlock)
    assert isinstance(block, type(teacher))
    assert not isinstance(block, nn.ConvTranspose2d)


def test_a_block_inherits_nothing_from_the_type_that_it_passes_for():
    block = block_of(Tagged(4, 8, 3))
    for name in ("forward", "_save_to_state_dict", "_load_from_state_dict", "choice"):
        assert getattr(type(block), name) is getattr(DeltaBlock, name)
    assert type(block).extra_repr is nn.Module.extra_repr
    assert type(block).__module__ == DeltaBlock.__module__  # torch.fx takes modules of torch.nn for leaves


def test_what_the_type_of_the_teacher_has_more_is_asked_of_the_teacher_and_set_there():
    block = block_of(Tagged(4, 8, 3))
    assert (block.tag, block.twice()) == ("inner", 16)
    block.retag("changed")
    assert (block.tag, block.teacher.tag) == ("changed", "changed")
    block.tag = "again"
    assert (block.tag, block.teacher.tag) == ("again", "again")
    assert block.weight is block.teacher.weight


def test_state_dicts_pass_through_the_teachers_hooks_once():
    block = block_of(Tagged(4, 8, 3))
    state = block.state_dict()
    expected = state.pop("teacher.weight") + 1
    block.load_state_dict({**state, "teacher.kernel": expected})
    assert torch.equal(block.weight, expected)


def _through_a_file(block):
    file = io.BytesIO()
    torch.save(block, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b)), _through_a_file]
)
def test_copies_and_pickles_are_of_the_same_type(duplicate):
    block = block_of(nn.Conv2d(4, 8, 3))
    twin = duplicate(block)
    assert type(twin) is type(block)
    assert twin.weight is twin.teacher.weight
    assert torch.equal(twin.weight, block.weight)


def test_blocks_of_one_type_share_a_class():
    assert type(block_of(nn.Conv2d(4, 8, 3))) is type(block_of(nn.Conv2d(3, 8, 1)))


def test_a_block_passes_for_a_residual_block_too():
    class BasicBlock(nn.Module):
        expansion = 1

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(16, 16, 3, padding=1)
            self.conv2 = nn.Conv2d(16, 16, 3, padding=1)

        def forward(self, x):
            return x + self.conv2(self.conv(x))

    network = nn.Sequential(BasicBlock())
    block = dd.convert(network, dd.ChannelStudent(gamma=2), dd.residual_blocks)[0]
    assert isinstance(block, DeltaBlock)
    assert isinstance(block.rule, NonlinearRule)
    assert isinstance(block, BasicBlock)
    assert block.expansion == 1
    assert block.conv is block.teacher.conv


class _Gated(nn.Conv2d):
    def gate(self):
        return None


class _Registers(nn.Conv2d):
    made = 0

    def __init_subclass__(cls):
        _Registers.made += 1


@pytest.mark.parametrize("teacher", [nn.Sequential(nn.Conv2d(3, 3, 1)), _Gated(3, 3, 1), _Registers(3, 3, 1)])
def test_a_block_does_not_pass_for_what_it_cannot_be(teacher):
    assert passing_for(DeltaBlock, teacher) is DeltaBlock
    assert _Registers.made == 0


def test_a_block_of_a_parametrised_layer_passes_for_the_plain_type():
    teacher = parametrizations.weight_norm(nn.Conv2d(4, 8, 3))
    block = block_of(teacher)
    assert type(block) is type(block_of(nn.Conv2d(4, 8, 3)))
    assert isinstance(copy.deepcopy(block), nn.Conv2d)


def test_what_a_block_keeps_for_itself_is_listed():
    block = DeltaBlock(nn.Conv2d(4, 8, 3), STUDENT, Seat())
    own = {*vars(block), *block._modules} - {*vars(nn.Module())} - {*vars(DeltaBlock)}
    assert own == set(OWN_ATTRIBUTES)


def test_a_network_that_asks_what_its_children_are_runs_its_blocks_traced_and_compiled_too():
    network, x = Asks().eval(), torch.rand(2, 3, 8, 9)
    delta = dd.convert(network, STUDENT, dd.inner_convolutions, example=x)
    expected = network(x)
    assert torch.equal(delta(x), expected)
    assert torch.equal(torch.fx.symbolic_trace(delta)(x), expected)
    assert torch.equal(torch.compile(delta, backend="eager")(x), expected)
    stream = dd.Stream(delta, period=2)
    stream(x)
    assert stream.state_bytes > 0


def test_loops_over_convolutions_reach_the_weight_that_counts():
    network = dd.convert(Asks(), STUDENT, dd.inner_convolutions)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 2.0)
    assert (network.layers[2].teacher.weight == 2).all()


def test_selectors_and_the_mac_account_do_not_take_blocks_for_layers():
    network = dd.convert(Asks(), STUDENT, dd.inner_convolutions)
    names = ["layers.0", "layers.2.teacher", "layers.2.uncompressed"]
    names += ["layers.2.compressed.0", "layers.2.compressed.1", "layers.3"]
    assert dd.all_convolutions(network) == names
    assert dd.all_layers(network) == names
    assert [row.name for row in dd.count_macs(network, (3, 8, 9)).rows] == [
        "layers.0",
        "layers.2",
        "layers.3",
    ]
