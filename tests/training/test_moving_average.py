"""The moving average of the weights against numbers worked by hand, and its place in a training."""

import pytest
import torch
from torch import nn
from training.toy_trainings import per_frame_trainee, run

from deltadistill.training.moving_average import MovingAverage


def network_of(weight, mean=0.0):
    network = nn.BatchNorm1d(1)
    set_to(network, weight, mean)
    return network


def set_to(network, weight, mean=0.0):
    nn.init.constant_(network.weight, weight)
    network.running_mean.fill_(mean)
    network.num_batches_tracked += 1


def test_it_starts_at_the_first_steps_weights_and_moves_by_what_is_left_of_the_decay():
    network, average = network_of(1.0, mean=10.0), MovingAverage(decay=0.25)
    average.update(network, 0)
    set_to(network, 3.0, mean=20.0)
    average.update(network, 1)  # decay min(1/4, 2/11) = 2/11
    assert average.values["weight"].item() == pytest.approx(1 + 9 / 11 * 2)
    assert average.values["running_mean"].item() == pytest.approx(10 + 9 / 11 * 10)
    set_to(network, 0.0)
    average.update(network, 90)  # decay min(1/4, 91/100) = 1/4
    assert average.values["weight"].item() == pytest.approx((1 + 18 / 11) / 4)
    assert "num_batches_tracked" not in average.values


def test_weights_come_back_to_the_bit_also_after_an_error():
    network, average = network_of(1.0), MovingAverage(decay=0.5)
    average.update(network, 0)
    set_to(network, 0.1)
    own = {name: value.clone() for name, value in network.state_dict().items()}

    def look():
        with average.in_place_of_weights(network):
            assert network.weight.item() == 1.0
            raise KeyError

    with pytest.raises(KeyError):
        look()
    assert all(torch.equal(value, own[name]) for name, value in network.state_dict().items())


def test_before_the_first_step_there_is_nothing_to_put_in_place():
    network = network_of(2.0)
    with MovingAverage(decay=0.5).in_place_of_weights(network):
        assert network.weight.item() == 2.0


def test_the_average_is_judged_and_kept_and_the_training_goes_on_with_the_weights():
    plain, averaged = per_frame_trainee(), per_frame_trainee(average=MovingAverage(0.9))
    seen = []
    averaged.tune_score = lambda _: float(seen.append(weight_of(averaged.network)) or len(seen))
    expected, outcome = run(plain, 1), run(averaged, 1)
    assert [row["loss"] for row in outcome.curve] == [row["loss"] for row in expected.curve]
    assert torch.equal(weight_of(averaged.network), weight_of(plain.network))
    assert torch.equal(outcome.best_state["0.weight"], seen[-1])
    assert torch.equal(seen[-1], averaged.optimised.average.values["0.weight"])
    assert not torch.equal(seen[-1], weight_of(plain.network))


def weight_of(network):
    return network[0].weight.detach().clone()
