"""Token merging: worked by hand, the network itself where nothing merges, and its cost."""

import pytest
import torch
from small_transformers import FAMILIES, PATCHES, SIZE, WIDTH, transformer
from torch import nn

from deltadistill.models.merged_tokens import MergedTokens, merge
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import build


class AsItIs:
    def predict(self, output, *, network):
        return output


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_without_merging_it_is_the_network_and_with_it_another(family):
    network, frames = transformer(family), torch.randn(2, *SIZE)
    torch.testing.assert_close(MergedTokens(network, merged=0).eval()(frames), network(frames))
    assert not torch.allclose(MergedTokens(network, merged=4).eval()(frames), network(frames))


def test_the_most_alike_patch_joins_its_partner_weighted_by_how_many_each_is():
    # class token, then patches 0 to 4: 0, 2 and 4 may join 1 or 3
    tokens = torch.tensor([[[9.0], [1.0], [4.0], [2.0], [8.0], [3.0]]])
    sizes = torch.tensor([[[1.0], [1.0], [3.0], [1.0], [1.0], [2.0]]])
    keys = torch.tensor([[[0.0, 1.0], [1.0, 0.1], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.2, 3.0]]])
    found, total = merge(tokens, sizes, keys, 1, prefix=1)
    # cosines with the nearest: 0.995 (0 to 1), 0.71 (2), 0.998 (4 to 3)
    assert found[0, :, 0].tolist() == pytest.approx([9, 1, 2, 4, (8 + 2 * 3) / 3])
    assert total[0, :, 0].tolist() == [1, 1, 1, 3, 3]
    found, total = merge(tokens, sizes, keys, 9, prefix=1)  # half of five patches at most
    assert found[0, :, 0].tolist() == pytest.approx([9, 2, (3 * 4 + 1) / 4, 14 / 3])
    assert total.sum() == sizes.sum()


@torch.no_grad()
def test_tokens_that_are_the_same_may_merge_without_any_difference():
    network = transformer("torchvision")
    network.encoder.pos_embedding.zero_()
    frames = torch.randn(1, 3, 1, 1).expand(1, *SIZE)
    torch.testing.assert_close(MergedTokens(network, merged=6).eval()(frames), network(frames))


def test_the_predictor_counts_what_is_left_of_the_network():
    network = transformer("torchvision")
    predictor = build("merged_tokens", network, AsItIs(), options={"merged": 4})
    predictor.begin(StreamInfo(1, SIZE[1:]))
    assert predictor.answer(FrameBatch(torch.zeros(1, *SIZE, dtype=torch.uint8))).shape == (1, 5)
    macs = PATCHES * 192 * WIDTH + 5 * WIDTH
    for patches in (16, 12):  # attention sees all of a block's tokens, its MLP four fewer
        tokens, pairs = patches + 1, (patches // 2) ** 2 * WIDTH // 3
        macs += tokens * 4 * WIDTH**2 + 2 * tokens**2 * WIDTH + pairs + (tokens - 4) * 8 * WIDTH**2
    costs = predictor.costs({})
    assert (costs.key.macs, costs.delta.macs) == (macs, macs)


def test_what_cannot_be_merged_is_refused():
    with pytest.raises(ValueError, match="merged -1"):
        MergedTokens(transformer("timm"), merged=-1)
    with pytest.raises(ValueError, match="Conv2d is no vision transformer"):
        MergedTokens(nn.Conv2d(3, 4, 1), merged=1)
