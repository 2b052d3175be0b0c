"""Generated pictures: features of a classifier, pictures of a denoiser, scores of the two."""

import pytest
import torch
from torch import nn

from deltadistill import models
from deltadistill.evaluation.generated import GeneratedScores, features, made_batches, scores
from deltadistill.tasks.denoiser import frames_of, pictures_of


def classifier():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.Dropout(), nn.Linear(2, 5)
    )


def test_features_are_what_the_last_linear_layer_takes():
    network, frames = classifier(), torch.rand(5, 3, 4, 4)
    found = features(network.train(), [frames[:3], frames[3:]])
    assert torch.allclose(found, network[2](frames.mean((2, 3))))  # without dropout
    assert network.training
    assert not network[4]._forward_pre_hooks


def test_a_network_whose_features_are_no_rows_is_refused():
    with pytest.raises(ValueError, match="has no linear layer"):
        features(nn.Sequential(nn.Conv2d(3, 1, 1)), [])
    with pytest.raises(ValueError, match=r"given \(4, 3, 4, 4\) for 4 frames"):
        features(nn.Sequential(nn.Linear(4, 2)), [torch.rand(4, 3, 4, 4)])


def test_scores_are_distance_and_shares():
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]])
    assert scores(real, real) == GeneratedScores(0.0, 1.0, 1.0)
    far = scores(real + 100, real)
    assert (far.fid, far.precision, far.recall) == (pytest.approx(100**2), 0, 0)


def test_a_denoiser_makes_the_same_pictures_for_a_seed_with_256_values_a_colour():
    torch.manual_seed(0)
    network = models.build("ddpm", classes=1, width=8, multipliers=[1, 2], attention=[], blocks=1, steps=20)
    made = [
        torch.cat(list(made_batches(network, (8, 8), count=5, steps=3, seed=seed, batch=2)))
        for seed in (1, 1, 2)
    ]
    assert made[0].shape == (5, 3, 8, 8)
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    levels = pictures_of(made[0]) * 127.5
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert torch.allclose(frames_of(pictures_of(made[0])), made[0], atol=1e-5)
