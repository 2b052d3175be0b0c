"""Ranks for each block: what is chosen, by hand, and that it beats one rank for all at equal cost."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.macs import count_macs
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.conversion.data_aware import explained_energies
from deltadistill.distillation.one_shot import output_errors
from deltadistill.distillation.rank_choice import Option, choose_ranks, options_of
from deltadistill.stored.architecture import apply_architecture, found_architecture


def test_options_of_a_block_by_hand():
    energies = torch.tensor([9.0, 4.0, 2.0, 1.0])  # beyond 1, 2, 3, 4 channels: 7, 3, 1, 0
    found = options_of((50.0, 20.0), 0.6, energies, rank=2, groups=1, multiple=1)
    # 10 MACs a channel; at 2 channels the damage is 0.6, of 3 that are missed there
    expected = [(0, 0, 50), (1, 1.4, 10), (2, 0.6, 20), (3, 0.2, 30), (4, 0, 40)]
    assert [(o.rank, pytest.approx(o.damage), o.cost) for o in found] == expected
    few = options_of((35.0, 20.0), 0.6, energies, rank=2, groups=1, multiple=2)
    assert [o.rank for o in few] == [0, 2]  # four cost more than the teacher
    grouped = options_of((50.0, 20.0), 0.6, energies[:2], rank=2, groups=2, multiple=1)
    assert [(o.rank, o.cost) for o in grouped] == [(0, 50), (2, 20), (4, 40)]
    assert options_of((50.0, 20.0), 0.0, None, rank=2, groups=1, multiple=1)[1:] == [Option(1, 0.0, 10.0)]


class Unlike(nn.Module):
    """Two branches alike in cost: all that moves reaches the output through the first."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.telling, self.idle = (nn.Conv2d(16, 16, 3, padding=1) for _ in range(2))
        self.head = nn.Conv2d(32, 4, 1)
        with torch.no_grad():
            self.head.weight[:, 16:] *= 1e-3

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return self.head(torch.relu(torch.cat([self.telling(x), self.idle(x)], 1)))


@pytest.fixture
def clips():
    generator = torch.Generator().manual_seed(2)
    key = torch.randn(12, 1, 3, 12, 16, generator=generator)
    return key + 0.3 * torch.randn(12, 3, 3, 12, 16, generator=generator).cumsum(1)


def where(network):
    return ["telling", "idle"]


def share(network, length=3):
    table = count_macs(network, (3, 12, 16))
    return (table.key + (length - 1) * table.delta) / length / table.teacher


def deployed(network, design, clips):
    converted = dd.convert(network, design, where, clips=clips, progress=False)
    for block in delta_blocks(converted).values():
        block.decide("compressed")
    return dd.deploy(converted)


def error(network, clips):
    with torch.no_grad():
        wanted = torch.stack([network(clip) for clip in clips])
        return (dd.forward_clip(network, clips) - wanted).square().mean()


def test_at_equal_cost_the_output_is_nearer_to_the_teachers_than_with_one_rank_for_all(clips):
    network = Unlike().eval()
    alike = deployed(network, dd.LinearStudent(gamma=4, initialisation="data"), clips)
    design = choose_ranks(network, clips, cost=share(alike), where=where, progress=False)
    assert design.ranks["idle"] < 4
    assert design.ranks["telling"] > 4 or design.ranks["telling"] == 0  # 0: the teacher's own
    ranked = deployed(network, design, clips)
    assert share(ranked) <= share(alike)
    assert error(ranked, clips) < 0.8 * error(alike, clips)


def test_as_much_as_the_teacher_may_cost_keeps_every_block(clips):
    network = Unlike().eval()
    design = choose_ranks(network, clips, cost=1.0, where=where, progress=False)
    assert set(design.ranks) == {"telling", "idle"}
    taken = [rank for rank in design.ranks.values() if rank]
    assert all(rank >= 12 for rank in taken)  # as many as still cost less than the teacher
    with pytest.raises(ValueError, match=r"cost 0.34 at length 3 is out of reach: with the lowest ranks"):
        choose_ranks(network, clips, cost=0.34, where=where, progress=False)


def test_ranks_go_with_the_architecture(clips):
    network = Unlike().eval()
    design = dd.LinearStudent(initialisation="data", ranks={"telling": 5, "idle": 2})
    made = deployed(network, design, clips)
    assert [made.get_submodule(f"{name}.compressed.0").out_channels for name in ("telling", "idle")] == [5, 2]
    again = apply_architecture(Unlike().eval(), found_architecture(made, design))
    again.load_state_dict(made.state_dict())
    torch.testing.assert_close(dd.forward_clip(again, clips), dd.forward_clip(made, clips))
    assert "ranks" not in dd.LinearStudent().as_dict()


def test_a_rank_of_0_leaves_the_block_alone(clips):
    network = Unlike().eval()
    made = dd.convert(network, dd.LinearStudent(ranks={"idle": 0}), where)
    assert set(delta_blocks(made)) == {"telling"}
    assert "kept in full: its rank is 0" in str(dd.conversion_report(made))


@pytest.mark.parametrize(
    ("ranks", "complaint"),
    [({"a": -1}, "rank of block 'a' is -1"), ({"a": 1.5}, "is 1.5"), ([1], r"ranks are \[1\]; expected")],
)
def test_ranks_that_cannot_be_meant_are_refused(ranks, complaint):
    with pytest.raises(ValueError, match=complaint):
        dd.LinearStudent(ranks=ranks)


def test_students_without_a_start_from_data_have_no_ranks_to_choose(clips):
    with pytest.raises(
        ValueError, match="ranks are chosen by what students that start from data miss; got 'svd'"
    ):
        choose_ranks(Unlike().eval(), clips, cost=0.6, students=dd.LinearStudent())


def test_what_channels_explain_is_the_energy_of_the_deltas(clips):
    network = dd.convert(
        Unlike().eval(), dd.LinearStudent(gamma=4, initialisation="data"), where, clips=clips, progress=False
    )
    block = delta_blocks(network)["telling"]
    found = explained_energies(network, [block], clips)[block]
    seen = []
    with torch.no_grad():
        block.teacher.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
        for clip in clips:
            network(clip)
        deltas = torch.cat([x[1:] - x[:1] for x in seen])
        patches = nn.functional.unfold(deltas, (3, 1), padding=(1, 0))  # of a k×1 student's first factor
        second_moment = torch.einsum("npl,nql->pq", patches, patches)
        weight = block.teacher.weight
        matrix = weight.permute(1, 2, 0, 3).reshape(48, 48)  # (inputs, rows) × (outputs, columns)
        energy = torch.trace(matrix.T @ second_moment @ matrix)
    assert (found.diff() <= 1e-6 * found[0]).all()
    assert float(found.sum()) / float(energy) == pytest.approx(1, rel=1e-3)


def test_groups_in_which_nothing_moves_explain_nothing(clips):
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=2)).eval()
    with torch.no_grad():
        network[0].weight[:4] = 0
    design, grouped = (
        dd.LinearStudent(gamma=2, initialisation="data", keep_dearer=True),
        lambda network: ["2"],
    )
    converted = dd.convert(network, design, grouped, clips=clips, progress=False)
    (block,) = delta_blocks(converted).values()
    found = explained_energies(converted, [block], clips)[block]
    assert found.isfinite().all()
    assert found[0] > 0
    network[0].weight.data.zero_()
    still = dd.convert(network, design, grouped, clips=clips, progress=False)
    assert explained_energies(still, list(delta_blocks(still).values()), clips) == {}


def test_decisions_stay_as_they_were(clips):
    network = dd.convert(Unlike().eval(), dd.LinearStudent(), where)
    output_errors(network, clips[:2])
    assert {block.decided for block in delta_blocks(network).values()} == {None}
