"""Skip-Convolutions over streams, and costs that are counted frame by frame."""

import pytest
import torch
from data.small_dataset import make_manifest
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, build
from deltadistill.tasks.segmentation import Segmentation

SIZE = (8, 12)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1), nn.Conv2d(5, 2, 1)).eval()


def skipping(network, **options):
    return build("skip_convolutions", network, Segmentation(2), options={"threshold": 0.01} | options)


def frame(row=None):
    pictures = torch.full((1, 3, *SIZE), 90, dtype=torch.uint8)
    if row is not None:
        pictures[..., row, :] = 200
    return FrameBatch(pictures)


def test_a_frame_costs_what_it_computed(network):
    predictor, places = skipping(network), SIZE[0] * SIZE[1]
    predictor.begin(StreamInfo(1, SIZE))
    costs = {MAIN: FrameCosts(Cost(macs=places * (12 + 20 + 10)), Cost())}
    found = []
    for each in (frame(), frame(3), frame(3)):
        predictor.answer(each)
        found.append(predictor.last_cost(costs).macs)
    # only the middle convolution is one that may skip: 20 a position, one row of 12; its gate reads 4
    # channels and looks at every place once
    first_and_last, gate = places * (12 + 10), places * (4 + 1)
    assert found == [places * 42, first_and_last + 12 * 20 + gate, first_and_last + gate]
    assert predictor.costs(costs).delta.macs == places * 42 + gate
    assert predictor.state_bytes > 0


def test_the_answer_is_the_networks_where_everything_that_changed_is_computed(network):
    predictor = skipping(network, threshold=0.0, where="all_convolutions")
    predictor.begin(StreamInfo(1, SIZE))
    for each in (frame(), frame(2), frame(5)):
        wanted = network(each.normalised).argmax(1)
        assert torch.equal(predictor.answer(each).long(), wanted)


def test_a_sequences_cost_is_measured_on_the_test_clips(network, tmp_path):
    store = FrameStore(make_manifest(tmp_path, clips={"test": 2}, frames=3))
    given = {"size": (3, *store.size)}
    predictor = skipping(network, threshold=0.0)
    most = costs_by_length(predictor, network, network, [1, 3], **given)
    measured = costs_by_length(predictor, network, network, [1, 3], store=store, **given)
    assert measured[1] == most[1]
    assert measured == most  # pixels of these clips all change a little from frame to frame
    rarely = costs_by_length(skipping(network, threshold=1e3), network, network, [3], store=store, **given)
    assert rarely[3]["macs_ratio"] == pytest.approx((42 + 2 * (12 + 10 + 4 + 1)) / 3 / 42)
