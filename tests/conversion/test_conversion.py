"""Conversion: a copy, every selected block, and a reason wherever one is left alone."""

import copy
import pickle

import pytest
import torch
from architectures import ARCHITECTURES, build
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

import deltadistill as dd
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.feature_rule import FeatureRule

STUDENT = dd.LinearStudent(gamma=2)
FROM_DATA = dd.LinearStudent(gamma=2, initialisation="data")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_converting_leaves_the_input_untouched(name):
    network = build(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    dd.convert(network, STUDENT, dd.inner_layers)
    assert not delta_blocks(network)
    assert all(torch.equal(network.state_dict()[key], value) for key, value in before.items())


def test_inner_convolutions_are_all_but_the_first_and_the_last():
    assert dd.inner_convolutions(build("in place")) == ["middle"]
    assert dd.all_convolutions(build("in place")) == ["first", "middle", "last"]


def test_a_predicate_selects_by_name_and_module():
    where = dd.matching(lambda name, module: name.startswith("head") and isinstance(module, nn.Conv2d))
    assert list(delta_blocks(dd.convert(build("shared head"), STUDENT, where))) == ["head.0", "head.2"]


def test_a_module_registered_twice_becomes_one_block():
    network = dd.convert(build("registered twice"), STUDENT, dd.all_convolutions)
    assert isinstance(network[1], DeltaBlock)
    assert network[1] is network[3]


def test_the_network_itself_may_be_the_block():
    network = dd.convert(nn.Conv2d(4, 8, 3), STUDENT, dd.all_convolutions)
    assert isinstance(network, DeltaBlock)
    assert dd.conversion_report(network)[0].converted


def test_feature_distillation_uses_feature_blocks():
    blocks = delta_blocks(dd.convert(build("in place"), STUDENT, predicts="feature"))
    assert all(isinstance(block.rule, FeatureRule) for block in blocks.values())


def test_a_dearer_student_is_left_out_and_reported():
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 64, 1), nn.Conv2d(64, 16, 3))
    report = dd.conversion_report(dd.convert(network, dd.LinearStudent(gamma=4), dd.all_convolutions))
    reasons = {row.name: row.reason for row in report}
    assert "1.25 times" in reasons["1"]
    assert reasons["2"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"where": lambda _: ["missing"]}, "does not have"),
        ({"where": lambda _: []}, "nothing was converted"),
        ({"predicts": "motion"}, "motion"),
    ],
)
def test_impossible_conversions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        dd.convert(build("in place"), STUDENT, **arguments)


def test_a_converted_network_is_not_converted_again():
    with pytest.raises(ValueError, match="already"):
        dd.convert(dd.convert(build("in place"), STUDENT), STUDENT)


def test_a_plain_network_has_no_report():
    with pytest.raises(ValueError, match="not made by convert"):
        dd.conversion_report(build("in place"))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_and_pickles_stream_by_themselves(duplicate):
    network = dd.convert(build("in place"), STUDENT)
    twin, frames = duplicate(network), torch.randn(3, 1, 3, 8, 8)
    one, other = dd.Stream(network, period=3), dd.Stream(twin, period=3)
    for frame in frames:  # taking turns: neither disturbs the other's state
        torch.testing.assert_close(one(frame)[0], other(frame)[0])


def test_a_deployed_network_keeps_one_candidate_per_block():
    network = dd.convert(build("ddrnet"), dd.LinearStudent(gamma=4))
    names = list(delta_blocks(network))
    delta_blocks(network)[names[0]].decide("uncompressed")
    deployed = delta_blocks(dd.deploy(network))
    assert deployed[names[0]].compressed is None
    assert all(deployed[name].uncompressed is None for name in names[1:])
    assert delta_blocks(network)[names[0]].compressed is not None  # the original is untouched


def _partly_frozen():
    """A training network whose second batch norm is frozen."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 2, 1),
    ).train()
    network[2][1].eval()
    network[4].eval()
    return network


def _second_block(network):
    return ["2"]


@pytest.mark.parametrize(
    ("students", "where", "options"),
    [
        (STUDENT, dd.inner_convolutions, {}),
        (STUDENT, dd.inner_convolutions, {"example": torch.rand(1, 3, 8, 8)}),
        (
            FROM_DATA,
            dd.inner_convolutions,
            {"clips": torch.rand(2, 2, 3, 8, 8)},
        ),
        (dd.ChannelStudent(gamma=2), _second_block, {}),
        (dd.SpatialStudent(stride=2), _second_block, {"example": torch.rand(1, 3, 8, 8)}),
    ],
)
def test_a_frozen_batch_norm_in_a_training_network_stays_frozen(students, where, options):
    network = _partly_frozen()
    before = {name: module.training for name, module in network.named_modules()}
    converted = dd.convert(network, students, where, **options)
    frozen = [m for m in converted.modules() if isinstance(m, nn.BatchNorm2d) and not m.training]
    teachers = {name.replace("teacher.", ""): m.training for name, m in converted.named_modules()}
    assert {name: teachers[name] for name in before} == before
    assert all(m.training or isinstance(m, nn.BatchNorm2d) for m in converted.modules())
    assert len(frozen) == (2 if isinstance(students, dd.LinearStudent) else 3)  # the student's own as well


@pytest.mark.parametrize("mode", [True, False])
def test_every_module_of_a_converted_network_is_in_the_mode_it_was_in(mode):
    channel = dd.ChannelStudent(gamma=2)
    for students, where in ((STUDENT, dd.inner_convolutions), (channel, dd.residual_blocks)):
        network = dd.convert(build("ddrnet").train(mode), students, where)
        assert all(module.training == mode for module in network.modules())


class _PlainLists(nn.Module):
    """Runs modules that it registers through Python's own containers."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.steps = [self.first, {"second": self.second}]
        self.pair = (self.third, 2)

    def forward(self, x):
        x = self.steps[1]["second"](self.steps[0](x))
        return self.pair[0](x) * self.pair[1]


def test_a_module_that_runs_through_a_plain_list_is_replaced_there_too():
    network = dd.convert(_PlainLists(), dd.LinearStudent(keep_dearer=True), dd.all_convolutions)
    blocks = delta_blocks(network)
    assert network.steps == [blocks["first"], {"second": blocks["second"]}]
    assert network.pair == (blocks["third"], 2)
    stream = dd.Stream(network, period=2)
    stream(torch.rand(1, 3, 8, 8))
    assert stream.state_bytes == 3 * 2 * 3 * 8 * 8 * 4  # input and output of each


def test_a_traced_network_keeps_its_modes_its_outputs_and_its_report():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout(0.9), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 2, 1))
    traced = create_feature_extractor(network, {"3": "out"}).eval()
    delta = dd.convert(traced, dd.LinearStudent(gamma=4))
    deployed = dd.deploy(delta)
    frame = torch.randn(1, 3, 8, 8)
    for made in (delta, deployed):
        assert not any(module.training for module in made.modules())
        assert torch.equal(made(frame)["out"], traced(frame)["out"])
    assert dd.conversion_report(deployed) == dd.conversion_report(delta)


def test_a_plain_network_cannot_be_deployed():
    with pytest.raises(ValueError, match="no converted blocks"):
        dd.deploy(nn.Sequential(nn.Conv2d(3, 8, 3)))
