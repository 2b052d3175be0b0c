"""A distillation hands back nothing worse than it was given; networks with dead channels go all the way."""

import pytest
import torch
from depthwise import clips_of, converted, depthwise
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.distillation import safeguard


def students_of(network):
    return [
        p.detach().clone() for block in delta_blocks(network).values() for p in block.student_parameters()
    ]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_network_with_dead_channels_goes_from_data_to_a_stream_that_is_finite_and_near():
    network, clips = depthwise(), clips_of()
    students = dd.LinearStudent(gamma=2, rank="min", initialisation="data")
    delta = dd.convert(network, students, dd.inner_layers, clips=clips, example=clips[:2, 0], progress=False)
    assert any("nothing moves" in row.start for row in dd.conversion_report(delta))
    losses = dd.distill(delta, clips, steps=12, cost=0.9, progress=False)
    assert max(losses) < 3
    deployed = dd.deploy(delta)
    largest = max(parameter.abs().max() for parameter in network.parameters() if parameter.dim() > 1)
    weights = [p for block in delta_blocks(deployed).values() for p in block.student_parameters()]
    assert all(weight.abs().max() < 5 * largest for weight in weights)
    stream = dd.Stream(deployed, period=3)
    with torch.no_grad():
        for time in range(3):
            found, wanted = stream(clips[:, time]), network(clips[:, time])
        change = wanted - network(clips[:, 0])
    assert (found - wanted).norm() < 0.7 * change.norm()


def test_a_distillation_that_more_than_doubles_the_loss_ends_with_an_error_and_the_start(caplog):
    network = converted()
    before = students_of(network)
    with pytest.raises(
        FloatingPointError, match=r"loss ended at \S+, where it began at \S+ .*the start again"
    ):
        dd.distill(network, clips_of(), steps=6, learning_rate=3.0, progress=False)
    assert same(students_of(network), before)


def test_one_that_ends_somewhat_worse_warns_with_both_losses_and_gives_the_start_back(monkeypatch, caplog):
    monkeypatch.setattr(safeguard, "_DIVERGED", float("inf"))
    network = converted()
    before = students_of(network)
    dd.distill(network, clips_of(), steps=6, learning_rate=0.3, progress=False)
    assert same(students_of(network), before)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "the distillation loss ended at" in record.message


def test_one_that_ends_better_says_nothing_and_keeps_what_it_learned(caplog):
    network = converted()
    before = students_of(network)
    dd.distill(network, clips_of(), steps=12, learning_rate=0.003, progress=False)
    assert not same(students_of(network), before)
    assert not caplog.records


def test_the_last_step_is_looked_at_too(monkeypatch):
    """Weights that the last step made infinite are in no step's loss."""
    network = converted()
    before = students_of(network)
    step = torch.optim.Adam.step

    def spoil(self, *arguments, **options):
        step(self, *arguments, **options)
        self.param_groups[0]["params"][-1].data.fill_(float("inf"))

    monkeypatch.setattr(torch.optim.Adam, "step", spoil)
    with pytest.raises(FloatingPointError, match="ended at nan, where it began at"):
        dd.distill(network, clips_of(), steps=1, progress=False)
    assert same(students_of(network), before)


def test_a_loss_that_becomes_infinite_on_the_way_leaves_the_start():
    network = converted()
    before = students_of(network)
    with pytest.raises(FloatingPointError, match=r"step \d+: the distillation loss is"):
        dd.distill(network, clips_of(), steps=6, learning_rate=1e20, progress=False)
    assert same(students_of(network), before)


def test_start_and_end_are_compared_under_the_same_decisions(caplog):
    """A search that compresses less has a lower loss with the worse students; that must not hide them."""
    network = converted()
    before = students_of(network)
    with pytest.raises(FloatingPointError, match="the same clips and decisions"):
        dd.distill(network, clips_of(), steps=4, cost=0.9, learning_rate=3.0, progress=False)
    assert same(students_of(network), before)


@pytest.mark.parametrize("start", [0.05, 1.0, 6.0])
@pytest.mark.parametrize(
    ("times", "outcome"), [(0.5, "kept"), (1.0, "kept"), (1.1, "warned"), (2.0, "warned"), (2.1, "refused")]
)
def test_twice_the_loss_of_the_start_is_the_end_whatever_its_size(start, times, outcome, caplog):
    network, losses = converted(), iter([times * start, start])
    guard = safeguard.Safeguard(network, [clips_of(1)], lambda clips: next(losses))
    before = students_of(network)
    with torch.no_grad():
        for block in delta_blocks(network).values():
            for parameter in block.student_parameters():
                parameter.add_(1.0)
    ended = students_of(network)
    if outcome == "refused":
        with pytest.raises(FloatingPointError, match="where it began"):
            guard.judge()
    else:
        guard.judge()
    assert same(students_of(network), ended if outcome == "kept" else before)
    assert bool(caplog.records) == (outcome == "warned")


def test_losses_of_several_batches_are_judged_and_told_by_their_mean(caplog):
    """Three batches: two end better, and the third so much worse that the mean is."""
    ended, began = (1.0, 2.0, 9.0), (3.0, 4.0, 2.0)
    network, losses = converted(), iter([*ended, *began])
    guard = safeguard.Safeguard(network, [clips_of(1)] * 3, lambda clips: next(losses))
    guard.judge()
    assert "ended at 4, where it began at 3 (" in caplog.text
    assert next(losses, None) is None


def test_modules_that_learned_beside_the_students_come_back_with_them():
    network, beside = converted(), [nn.Linear(2, 1), nn.Linear(1, 3)]
    before = [parameter.clone() for module in beside for parameter in module.parameters()]
    guard = safeguard.Safeguard(network, [clips_of(1)], lambda clips: 1.0, beside)
    with torch.no_grad():
        for parameter in (parameter for module in beside for parameter in module.parameters()):
            parameter.add_(1.0)
    guard.restore()
    assert same([parameter for module in beside for parameter in module.parameters()], before)
