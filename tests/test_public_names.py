"""A tour of the names that users call."""

import subprocess
import sys

import pytest
import torch

import deltadistill as dd


@pytest.mark.parametrize("name", dd.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(dd, name).__doc__


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match="Stream"):
        dd.distil  # noqa: B018


def test_importing_the_package_loads_no_torch():
    command = "import sys, deltadistill; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", command], check=True)


def test_the_tour_from_a_network_to_a_stream():
    network = dd.models.build("ddrnet23_slim", classes=5, width=8).eval()
    delta = dd.convert(network, dd.LinearStudent(gamma=4, rank="out"), where=dd.inner_convolutions)
    assert any(row.converted for row in dd.conversion_report(delta))
    assert dd.forward_clip(delta, torch.randn(1, 2, 3, 64, 64)).shape == (1, 2, 5, 64, 64)
    stream = dd.Stream(dd.deploy(delta), period=3)
    assert stream(torch.randn(1, 3, 64, 64)).shape == (1, 5, 64, 64)
    table = dd.count_macs(delta, (3, 64, 64))
    assert table.delta < table.amortised(3) < table.key
