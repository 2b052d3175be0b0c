"""Distillation of any network on clips without labels."""

import pytest
import torch
from architectures import build
from torch import nn
from torch.utils.checkpoint import checkpoint

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.delta_rule import DeltaRule
from deltadistill.blocks.moved_rule import maps_moved
from deltadistill.distillation import label_free, training
from deltadistill.objectives.setting import Setting


@pytest.fixture
def clips():
    generator = torch.Generator().manual_seed(2)
    key = torch.randn(6, 1, 3, 16, 24, generator=generator)
    return key + 0.3 * torch.randn(6, 3, 3, 16, 24, generator=generator).cumsum(1)


def converted(name="in place", students=None, where=dd.inner_layers):
    return dd.convert(build(name), students or dd.LinearStudent(gamma=2, initialisation="random"), where)


def run(network, clips, **settings):
    return dd.distill(network, clips, **{"steps": 30, "learning_rate": 0.01, "progress": False, **settings})


@pytest.mark.parametrize("name", ["in place", "shared head", "tokens"])
def test_the_error_of_the_students_falls(name, clips):
    losses = run(converted(name), clips)
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_the_teacher_stays_as_it_is_and_is_left_able_to_learn(clips):
    network = converted("batch norm and dropout").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run(network, clips, steps=3)
    students = {f"{name}.{part}" for name in delta_blocks(network) for part in ("compressed", "decision")}
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(any(name.startswith(student) for student in students) for name in changed)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_frozen_batch_norm_is_still_frozen_afterwards(clips):
    network = converted("batch norm and dropout").train()
    network[1].eval()
    run(network, clips, steps=1)
    assert [module for module in network.modules() if not module.training] == [network[1]]


def test_without_a_cost_every_block_is_compressed(clips):
    network = converted("shared head")
    run(network, clips, steps=2)
    assert {block.decided for block in delta_blocks(network).values()} == {"compressed"}


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_search_ends_within_the_cost(clips, steps):
    network = converted("ddrnet", dd.LinearStudent(gamma=4), dd.inner_convolutions)
    run(network, clips, steps=steps, cost=0.55)
    table = dd.count_macs(network, (3, 16, 24))
    assert 0.98 * 0.55 <= table.amortised(3) / table.teacher <= 0.55
    assert {block.decided for block in delta_blocks(network).values()} == {"compressed", "uncompressed"}


def test_a_cost_out_of_reach_is_refused_before_training(clips):
    network = converted("ddrnet", dd.LinearStudent(gamma=4), dd.inner_convolutions)
    before = network.state_dict()["conv1.3.compressed.0.weight"].clone()
    with pytest.raises(ValueError, match="out of reach"):
        run(network, clips, cost=0.35)
    assert torch.equal(network.state_dict()["conv1.3.compressed.0.weight"], before)


def test_costs_in_milliseconds_choose_otherwise_than_macs(clips):
    def found(costs):
        network = converted("shared head")
        run(network, clips, steps=2, cost=0.8, costs=costs)
        return {name: block.decided for name, block in delta_blocks(network).items()}

    by_macs = found(None)
    assert sorted(by_macs.values()) == ["compressed", "uncompressed"]
    # by the clock, the block that MACs compress gains nothing, and the other one all
    times = {name: (4.0, 3.9 if choice == "compressed" else 1.0) for name, choice in by_macs.items()}
    by_clock = found(dd.CostTable(times, rest=1.0, teacher=9.0))
    assert all(by_clock[name] != by_macs[name] for name in by_macs)


def test_costs_of_other_blocks_are_refused_by_name(clips):
    costs = dd.CostTable({"head.0": (2.0, 1.0), "neck": (2.0, 1.0)}, rest=1.0, teacher=5.0)
    with pytest.raises(ValueError, match=r"without a cost \['head.2'\], not in the network \['neck'\]"):
        run(converted("shared head"), clips, cost=0.9, costs=costs)


def test_costs_without_a_cost_to_reach_are_refused(clips):
    costs = dd.CostTable({"head.0": (2.0, 1.0), "head.2": (2.0, 1.0)}, rest=1.0, teacher=5.0)
    with pytest.raises(ValueError, match="give cost as well"):
        run(converted("shared head"), clips, costs=costs)


@pytest.mark.parametrize(
    ("pair", "rest", "teacher"), [((1.0, -1.0), 1.0, 5.0), ((1.0, 1.0), -1.0, 5.0), ((1.0, 1.0), 1.0, 0.0)]
)
def test_costs_that_cannot_be_are_refused(pair, rest, teacher):
    with pytest.raises(ValueError, match="expected"):
        dd.CostTable({"head": pair}, rest=rest, teacher=teacher)


def test_a_deployed_network_has_nothing_left_to_distill(clips):
    with pytest.raises(ValueError, match="the network is deployed"):
        run(dd.deploy(converted("shared head")), clips)
    with pytest.raises(ValueError, match="no converted blocks"):
        run(build("shared head"), clips)


def test_frames_without_a_time_axis_are_refused(clips):
    with pytest.raises(ValueError, match="N, T, C, H, W"):
        run(converted(), clips[:, 0])
    with pytest.raises(ValueError, match="at least 2 frames"):
        run(converted(), clips[:, :1])


def test_blocks_that_would_not_learn_under_gradient_checkpointing_are_named(clips):
    class Checkpointed(nn.Sequential):
        def forward(self, x):
            return checkpoint(super().forward, x, use_reentrant=True)

    layers = [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 2, 1)]
    network = dd.convert(nn.Sequential(layers[0], Checkpointed(*layers[1:])), dd.LinearStudent(gamma=2))
    with (
        pytest.raises(ValueError, match=r"the block '1\.0' runs without gradient"),
        pytest.warns(UserWarning, match="requires_grad"),
    ):
        run(network, clips, steps=1)


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_shown_where_it_is_asked_for(clips, progress, capsys):
    run(converted(), clips, steps=2, progress=progress)
    assert ("distilling" in capsys.readouterr().err) == progress


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_clips_of_two_frames_or_more_are_taken(frames):
    clips = torch.randn(2, frames, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    assert len(run(converted(), clips, steps=1)) == 1
    with pytest.raises(ValueError, match="at least 2 frames"):
        run(converted(), clips[:, :1], steps=1)
    with pytest.raises(ValueError, match="at least 2 frames"):
        run(converted(), clips[:0], steps=1)


@pytest.mark.parametrize("count", [0, -1, 2.5, True, "2", None])
@pytest.mark.parametrize("name", ["steps", "batch"])
def test_steps_and_clips_per_step_are_whole_numbers_from_one(name, count, clips):
    with pytest.raises(ValueError, match=f"{name} {count!r} must be a whole number, at least 1"):
        run(converted(), clips, **{"steps": 1, name: count})


def test_the_same_seed_gives_the_same_students(clips):
    torch.manual_seed(0)
    first = converted()
    torch.manual_seed(0)
    second = converted()
    assert run(first, clips, steps=4) == run(second, clips, steps=4)


def decisions(network):
    return [block.decided for block in delta_blocks(network).values()]


def test_a_search_after_a_distillation_without_cost_still_searches(clips):
    network = converted("shared head")
    run(network, clips, steps=2)
    run(network, clips, steps=2, cost=0.8)
    assert sorted(decisions(network)) == ["compressed", "uncompressed"]


def test_a_distillation_after_a_search_keeps_its_decisions(clips):
    network = converted("shared head")
    run(network, clips, steps=2, cost=0.8)
    found = decisions(network)
    run(network, clips, steps=2)
    assert decisions(network) == found
    assert sorted(found) == ["compressed", "uncompressed"]


def test_a_refused_second_search_leaves_the_decisions_of_the_first(clips):
    network = converted("shared head")
    run(network, clips, steps=2, cost=0.8)
    found = decisions(network)
    with pytest.raises(ValueError, match="out of reach"):
        run(network, clips, steps=2, cost=0.35)
    assert decisions(network) == found


def test_gates_rest_in_the_warm_up_and_move_after_it(clips, monkeypatch):
    logits = []

    class Watched(training.CandidateDraws):
        def __init__(self, network, **settings):
            logits.append([block.gate.logit.item() for block in delta_blocks(network).values()])
            super().__init__(network, **settings)

    monkeypatch.setattr(training, "CandidateDraws", Watched)
    run(converted("shared head"), clips, steps=20, cost=0.8)
    assert logits[:3] == [[0.0, 0.0]] * 3  # before steps 0 and 1, and after them
    assert all(logit != 0 for logit in logits[3])


def test_a_loss_that_is_not_finite_stops_with_its_step_before_the_students_are_spoilt(clips):
    network = converted()
    with pytest.raises(FloatingPointError, match="step 1: the distillation loss is nan; lower the learning"):
        run(network, clips * float("nan"), steps=3)
    assert all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("frozen_after", [False, True])
def test_students_of_a_frozen_network_learn_and_its_teacher_stays_frozen(clips, frozen_after):
    network = build("shared head").requires_grad_(False)
    delta = dd.convert(network, dd.LinearStudent(gamma=2), dd.inner_layers)
    if frozen_after:
        delta.requires_grad_(False)
    for block in delta_blocks(delta).values():
        block.decide("uncompressed")
        block.uncompressed.weight.data.mul_(0.5)
    before = delta.state_dict()["head.0.uncompressed.weight"].clone()
    run(delta, clips, steps=2)
    assert not torch.equal(delta.state_dict()["head.0.uncompressed.weight"], before)
    assert not any(
        p.requires_grad for block in delta_blocks(delta).values() for p in block.teacher.parameters()
    )


def test_objectives_are_told_frames_and_their_height_and_width(clips, monkeypatch):
    told = []

    def setting(network, frames, size, *, run):
        told.append((tuple(frames.shape[1:]), size))
        return Setting(network, frames, size, run=run)

    monkeypatch.setattr(label_free, "Setting", setting)
    run(converted(), clips, steps=1)
    assert told == [((3, 16, 24), (16, 24))]


def test_students_learn_what_moved_maps_lack_and_keep_their_rule():
    torch.manual_seed(0)
    wide = nn.functional.interpolate(torch.randn(6, 3, 6, 16), scale_factor=4)
    clips = torch.stack([wide[..., 6 - at :][..., :40] for at in (0, 3, 6)], 1)  # the picture moves right
    clips = clips + 0.3 * torch.randn_like(clips)
    motion = torch.zeros(2, 2, 2, 24, 40)
    motion[:, 0, 0], motion[:, 1, 0] = -3, -6
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    teacher = nn.Sequential(*layers, nn.Conv2d(8, 2, 3, padding=1)).eval()
    network = dd.convert(teacher, dd.LinearStudent(gamma=2, initialisation="random"))

    def error():
        with torch.no_grad(), maps_moved(network):
            found = dd.forward_clip(network, clips[:2], motion=motion)
            return (found - dd.forward_clip(network, clips[:2, 2:])[:, :1]).square()[:, 2].mean()

    run(network, clips, steps=1, learning_rate=1e-9, motion=lambda clips: motion)  # decides the blocks
    before = error()
    losses = run(network, clips, motion=lambda clips: motion)
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert error() < 0.9 * before
    assert {type(block.rule) for block in delta_blocks(network).values()} == {DeltaRule}


def test_motion_is_refused_where_nothing_moves(clips):
    network = dd.convert(build("in place"), dd.LinearStudent(), dd.inner_layers, predicts="feature")
    with pytest.raises(ValueError, match="motion is for linear students that predict changes"):
        run(network, clips, motion=lambda clips: clips)
