"""Rules of designs: state that is carried along with motion, and designs that say what they cannot be."""

import sys
from dataclasses import dataclass

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_rule import DeltaRule
from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.designs import shape_design, student_design
from deltadistill.blocks.feature_rule import FeatureRule
from deltadistill.blocks.nonlinear_rule import NonlinearRule
from deltadistill.blocks.rule import Rule
from deltadistill.blocks.seat import Seat
from deltadistill.stored.architecture import apply_architecture, found_architecture


class ShiftedKeyMap(Rule):
    """The key frame's map, moved by whole pixels; `motion` (N, 2, 1, 1) is the same everywhere."""

    def state_of(self, parts, x, z):
        return (z.clone(),)

    def carry(self, state, motion):
        across, down = motion[0, :, 0, 0].int().tolist()  # x before = x + motion
        return (state[0].roll((-down, -across), (-2, -1)),)

    def delta(self, parts, x, state):
        return state[0].clone(), state


@dataclass(frozen=True)
class Shifted(StudentDesign):
    def rule(self, predicts):
        return ShiftedKeyMap()


class AddsToKeyMap(ShiftedKeyMap):
    def delta(self, parts, x, state):
        return state[0] + x, state


@dataclass(frozen=True)
class Added(StudentDesign):
    def rule(self, predicts):
        return AddsToKeyMap()


class OneCandidate(Shifted):
    def candidates(self, teacher):
        return {COMPRESSED: nn.Identity()}


def motion(across, down):
    return torch.tensor([float(across), float(down)]).reshape(1, 2, 1, 1)


def doubling():
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(inplace=True))
    network[0].weight.data.fill_(2.0)
    return network


def test_a_stream_carries_the_cached_map_along_with_the_motion_of_each_frame_by_hand():
    stream = dd.Stream(dd.convert(doubling(), Shifted(), dd.all_convolutions).eval(), period=5)
    frame = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    key = [[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]]  # 2·frame, whatever the motion of a key frame
    assert stream(frame, motion=motion(1, 1))[0, 0].tolist() == key
    assert stream(0 * frame)[0, 0].tolist() == key  # no motion known: unchanged
    left = [[4.0, 6.0, 2.0], [10.0, 12.0, 8.0]]  # what was one pixel to the right
    assert stream(0 * frame, motion=motion(1, 0))[0, 0].tolist() == left
    assert stream(0 * frame)[0, 0].tolist() == left  # and stays there
    both = [[8.0, 10.0, 12.0], [2.0, 4.0, 6.0]]  # one row up, and one pixel back to the right
    assert stream(0 * frame, motion=motion(-1, 1))[0, 0].tolist() == both
    assert stream(frame)[0, 0].tolist() == key


@pytest.mark.parametrize("rule", [DeltaRule(), FeatureRule(), NonlinearRule()])
def test_the_rules_of_the_library_leave_what_they_keep_where_it_is(rule):
    state = (torch.rand(1, 2, 3, 3),)
    assert rule.carry(state, motion(1, 2)) is state


@pytest.mark.parametrize("relative_to", ["key", "previous"])
def test_clips_of_a_block_without_candidates_are_those_of_its_stream(relative_to):
    network = dd.convert(doubling(), Shifted(), dd.all_convolutions).eval()
    clip = torch.rand(2, 3, 1, 4, 5)
    stream = dd.Stream(network, period=3, relative_to=relative_to)
    expected = torch.stack([stream(frame) for frame in clip.unbind(1)], 1)
    assert torch.equal(dd.forward_clip(network, clip, relative_to=relative_to), expected)
    assert torch.equal(dd.forward_clip(network, clip[:, :1]), 2 * clip[:, :1])


@pytest.mark.parametrize(
    ("relative_to", "expected"), [("key", [2, 12, 102, 1002]), ("previous", [2, 12, 112, 1112])]
)
def test_a_block_without_candidates_goes_on_from_the_key_frame_or_from_the_frame_before(
    relative_to, expected
):
    network = dd.convert(doubling(), Added(), dd.all_convolutions).eval()
    clip = torch.tensor([1.0, 10.0, 100.0, 1000.0]).reshape(1, 4, 1, 1, 1)
    assert dd.forward_clip(network, clip, relative_to=relative_to).flatten().tolist() == expected
    stream = dd.Stream(network, period=4, relative_to=relative_to)
    assert [stream(frame).item() for frame in clip.unbind(1)] == expected


def test_a_block_without_candidates_has_no_gate_no_choice_and_nothing_to_distill():
    network = dd.convert(doubling(), Shifted(), dd.all_convolutions)
    block = network[0]
    assert (block.gate, block.candidates, block.choice) == (None, (), "rule")
    assert list(network.state_dict()) == ["0.teacher.weight"]
    block.decide("rule")
    for use in (lambda: block.decide(UNCOMPRESSED), block.undecide):
        with pytest.raises(ValueError, match="no"):
            use()
    assert dd.deploy(network)[0].choice == "rule"
    with pytest.raises(ValueError, match="no candidates by their design"):
        dd.distill(network, torch.rand(2, 2, 1, 8, 8), steps=1, progress=False)


def test_a_block_with_candidates_cannot_be_its_rule_alone():
    network = dd.convert(nn.Sequential(nn.Conv2d(8, 8, 3)), dd.LinearStudent(), dd.all_convolutions)
    found = found_architecture(network, dd.LinearStudent())
    found["blocks"] = {"0": "rule"}
    with pytest.raises(ValueError, match=r"candidate 'rule' is unknown"):
        apply_architecture(nn.Sequential(nn.Conv2d(8, 8, 3)), found)


def test_a_design_with_one_candidate_alone_is_refused():
    with pytest.raises(
        ValueError, match=r"OneCandidate makes the candidates \['compressed'\]; expected both"
    ):
        DeltaBlock(nn.Conv2d(3, 3, 1), OneCandidate(), Seat())


def test_a_description_imports_nothing_and_parameters_do(tmp_path, monkeypatch):
    (tmp_path / "designs_of_mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from deltadistill.blocks.design import StudentDesign\n"
        "from deltadistill.blocks.delta_rule import DeltaRule\n"
        "@dataclass(frozen=True)\nclass Mine(StudentDesign):\n    share: int = 2\n"
        "    def rule(self, predicts):\n        return DeltaRule()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    students = {"kind": "designs_of_mine:Mine", "share": 3}
    described = {"predicts": "delta", "students": students, "blocks": {"0": "rule"}}
    with pytest.raises(ValueError, match="of a module that is not imported, and a file imports nothing"):
        apply_architecture(doubling(), described)
    assert "designs_of_mine" not in sys.modules
    design = student_design(students)
    assert design.as_dict() == students
    assert apply_architecture(doubling(), described)[0].choice == "rule"
    assert shape_design(students) == design
    with pytest.raises(ValueError, match=r"no setting 'gamma'; they have share"):
        student_design({"kind": students["kind"], "gamma": 3})
    monkeypatch.delitem(sys.modules, "designs_of_mine")


@pytest.mark.parametrize("kind", ["os:system", "subprocess:Popen", "dataclasses:dataclass"])
def test_what_a_file_calls_a_design_must_be_one(kind):
    with pytest.raises(ValueError, match="is no student design"):
        student_design({"kind": kind}, imports=False)


def test_a_design_that_no_file_can_name_says_so():
    @dataclass(frozen=True)
    class Inner(Shifted):
        pass

    network = dd.convert(doubling(), Inner(), dd.all_convolutions)
    with pytest.raises(ValueError, match="at the top of a module"):
        found_architecture(network, Inner())
