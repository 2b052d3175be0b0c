"""What convert asks of a network and of `where`: one clear sentence for each that it does not take."""

import threading
from collections import OrderedDict

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.conversion.requirements import copied

STUDENT = dd.LinearStudent(gamma=2)


def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU()), nn.Conv2d(8, 2, 1))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1.2", "0"], r"does not have: \['1.2'\]; close to the first: .*'1.0'.*named_modules"),
        (["nothing like it"], r"does not have: \['nothing like it'\]; names are"),
        ([nn.ReLU()], r"does not have: \[ReLU\(\)\]"),
        (None, "`where` returned None; expected a list of names"),
        ("1.0", "`where` returned '1.0'; expected a list of names"),
    ],
)
def test_names_that_are_not_there_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        dd.convert(network(), STUDENT, lambda _: names)


def test_names_may_come_from_any_iterable():
    assert dd.conversion_report(dd.convert(network(), STUDENT, lambda _: iter(["1.0"])))[1].converted


def test_lazy_layers_are_refused_until_they_have_weights():
    lazy = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.Conv2d(8, 2, 1))
    with pytest.raises(ValueError, match=r"layers \['1', '2'\] have no weights yet.*run the network once"):
        dd.convert(lazy, STUDENT)
    lazy(torch.rand(1, 3, 8, 9))
    assert dd.conversion_report(dd.convert(lazy, STUDENT))[1].converted


def test_what_cannot_be_copied_is_named():
    locked = network()
    locked[1][1].lock = threading.Lock()
    with pytest.raises(ValueError, match=r"cannot be copied.*1\.1 \(ReLU\).*lock"):
        dd.convert(locked, STUDENT)


def test_a_copy_has_the_values_of_tensors_with_a_history():
    plain = network()
    plain[0].scale = plain[0].weight * 2
    copy = copied(plain)
    assert torch.equal(copy[0].scale, plain[0].scale)
    assert copy[0].scale is not plain[0].scale
    assert copy[0].scale.is_leaf


def test_a_module_may_be_chosen_by_any_of_its_names():
    shared = nn.Conv2d(4, 4, 3, padding=1)
    layers = {"first": nn.Conv2d(3, 4, 3), "one": shared, "other": shared, "last": nn.Conv2d(4, 2, 1)}
    for name in ("one", "other"):
        network = nn.Sequential(OrderedDict(layers)).eval()
        delta = dd.convert(network, STUDENT, lambda _, name=name: [name])
        assert delta.one is delta.other
        assert len(delta_blocks(delta)) == 1
