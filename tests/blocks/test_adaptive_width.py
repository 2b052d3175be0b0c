"""ACM as a student design: slices of an MLP, what a token runs, by hand and in all families; its budget."""

import pytest
import torch
from small_transformers import FAMILIES, SIZE, WIDTH, transformer
from torch import nn

import deltadistill as dd
from deltadistill.blocks.adaptive_mlp import AdaptiveMlp
from deltadistill.blocks.adaptive_width import AdaptiveWidth, AdaptiveWidthRule, width_macs
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.mlp_form import mlp_form
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting, make_objective
from deltadistill.stored.architecture import found_architecture, load_network
from deltadistill.stored.network_file import save_network


def mlp():
    """Two hidden units, |x| and 2·relu(x) by ‖row‖ · ‖column‖ of 1 and 2, and a bias of 9."""
    made = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        made[0].weight.copy_(torch.tensor([[1.0], [1.0]]))
        made[0].bias.zero_()
        made[2].weight.copy_(torch.tensor([[1.0, 2.0]]))
        made[2].bias.fill_(9.0)
    return made


def adaptive(**settings):
    torch.manual_seed(0)
    return AdaptiveMlp(mlp_form(mlp()), **{"learners": 2, "gate": 1} | settings)


def gate_by_hand(student):
    """Widths 0, 1 and 2 from changes of 0, of more than ½ and of more than 2 on: logits ½, c and 2c − 2."""
    with torch.no_grad():
        student.gate[0].weight.fill_(1.0)
        student.gate[0].bias.zero_()
        student.gate[2].weight.copy_(torch.tensor([[0.0], [1.0], [2.0]]))
        student.gate[2].bias.copy_(torch.tensor([0.5, 0.0, -2.0]))
    return student


def test_learners_are_slices_of_the_mlp_the_heaviest_first():
    parts = adaptive().parts(torch.tensor([[[3.0]]]))
    assert parts.flatten().tolist() == [6, 3]
    assert parts.sum() + 9 == mlp()(torch.tensor([[[3.0]]]))


def test_what_a_token_runs_by_hand():
    student = gate_by_hand(adaptive())
    changes = torch.tensor([0.1, -1.0, 3.0]).reshape(1, 3, 1)
    assert student.running(changes)[0].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert torch.equal(adaptive().running(changes), torch.ones(1, 3, 2))  # before it has learnt


def test_the_gradient_of_what_runs_is_that_of_its_probability():
    """Of logits ½, 1 and 0 at a change of 1: P(at least 1) = 1 − p₀; by the first, −p₀(1 − p₀)."""
    student = gate_by_hand(adaptive())
    student.running(torch.ones(1, 1, 1))[..., 0].sum().backward()
    p = torch.tensor([0.5, 1.0, 0.0]).softmax(0)
    assert student.gate[2].bias.grad[0].item() == pytest.approx(-(p[0] * (1 - p[0])).item(), rel=1e-5)


class Parts:
    choice = "compressed"

    def __init__(self):
        self.teacher, self.uncompressed, self.compressed = mlp(), None, gate_by_hand(adaptive())


@torch.no_grad()
def test_a_later_frame_by_hand_and_what_it_costs():
    """z = 9 + 3x. From 1 by 0.1, which runs nothing; to 2, the first learner, 2·1; to 5, both, 3·4."""
    rule, parts = AdaptiveWidthRule(), Parts()
    z, state = rule.key(parts, torch.ones(1, 3, 1))
    assert z.flatten().tolist() == [12, 12, 12]
    assert state[-1].tolist() == [[0, 0]]
    found, after = rule.delta(parts, torch.tensor([1.1, 2.0, 5.0]).reshape(1, 3, 1), state)
    assert found.flatten().tolist() == pytest.approx([12, 14, 24])
    assert after[-1].tolist() == [[2, 1]]
    assert all(torch.equal(*pair) for pair in zip(after[:3], state[:3], strict=True))
    assert width_macs(parts.compressed, after) == 3 * 2 + 3 * 4  # runs of learners, gates
    assert width_macs(parts.compressed, state) == 3 * 4


def frames(count=3, streams=2):
    return torch.randn(count, streams, *SIZE, generator=torch.Generator().manual_seed(1))


def converted(family="timm", **settings):
    torch.manual_seed(2)
    return dd.convert(transformer(family), AdaptiveWidth(**settings), dd.transformer_mlps)


def compressed(network):
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_before_it_learns_every_frame_is_the_networks(family):
    network, delta = transformer(family), compressed(converted(family))
    assert len(delta_blocks(delta)) == 2
    stream = dd.Stream(delta, period=3)
    for frame in frames():
        torch.testing.assert_close(stream(frame), network(frame), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_of_a_still_video_nothing_drifts_whatever_runs():
    delta = compressed(converted())
    for block in delta_blocks(delta).values():
        nn.init.normal_(block.compressed.gate[-1].weight)
        nn.init.normal_(block.compressed.outer[0].weight)
    stream, frame = dd.Stream(delta, period=9), frames(1)[0]
    first = stream(frame)
    for _ in range(3):
        torch.testing.assert_close(stream(frame), first)


def test_a_clip_in_one_pass_is_its_frames_one_by_one():
    delta = compressed(converted())
    for block in delta_blocks(delta).values():
        nn.init.normal_(block.compressed.gate[-1].weight)
    clip, stream = frames(), dd.Stream(delta, period=3)
    with torch.no_grad():
        found = dd.forward_clip(delta, clip.transpose(0, 1))
        wanted = torch.stack([stream(frame) for frame in clip], 1)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_the_budget_by_hand():
    """Of widths 1 everywhere and a target of ¼: ¾ above it; the second part of two gives half."""
    delta = compressed(converted())
    objective = make_objective("token_width", Setting(delta, frames(1)[0], SIZE[1:]), {"target": 0.25})
    clips = frames(2).transpose(0, 1)
    whole = Observation(delta, {}, clips, objective.taps)
    of = objective.batch_extent([whole])
    assert of.tolist() == [2 * 2 * 18, 2 * 2 * 18]  # clips, blocks, tokens
    assert objective.loss(whole, of).item() == pytest.approx(0.75)
    assert objective.loss(Observation(delta, {}, clips[:1], objective.taps), of).item() == pytest.approx(
        0.375
    )
    below = objective.loss(whole, of * torch.tensor([0.2, 1.0]))
    assert below.item() == 0
    below.backward()  # what costs nothing has a gradient, of zero


def test_gates_learn_to_run_less():
    torch.manual_seed(0)
    delta = converted()
    clips = frames(4, streams=2).transpose(0, 1)[:, :2].repeat(2, 1, 1, 1, 1)
    clips[:, 1] = clips[:, 0] + 0.05 * clips[:, 1]
    how = {"token_width": {"weight": 5.0, "options": {"target": 0.5}}}
    dd.distill(delta, clips, steps=12, learning_rate=0.05, objectives=how, progress=False)
    stream = dd.Stream(delta, period=9)
    with torch.no_grad():
        stream(clips[:1, 0]), stream(clips[:1, 1])
    counts = [state[-1] for state in stream._session.state.values()]
    assert sum(each.sum().item() for each in counts) < 0.9 * 2 * 18 * 4


def test_it_comes_back_from_its_file(tmp_path):
    delta = compressed(converted("clip", learners=3))
    deployed = dd.deploy(delta)
    sizes = {"image_size": 32, "patch_size": 8, "width": WIDTH, "layers": 2, "heads": 3}
    described = {"name": "clip_tower", "classes": 7, "options": sizes}
    architecture = found_architecture(deployed, AdaptiveWidth(learners=3))
    save_network(tmp_path / "network.pt", deployed, described, architecture=architecture)
    loaded, frame = load_network(tmp_path / "network.pt"), frames(2)
    ours, theirs = dd.Stream(deployed, period=3), dd.Stream(loaded, period=3)
    with torch.no_grad():
        for each in frame:
            torch.testing.assert_close(ours(each), theirs(each))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Linear(2, 8), nn.PReLU(), nn.Linear(8, 2)), "has the layers .*'PReLU'"),
        (nn.Sequential(nn.Linear(2, 8), nn.Linear(8, 2)), "expected those of an MLP"),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)), "3 hidden units are fewer than its 4"),
    ],
)
def test_what_is_no_mlp_is_left_out_with_a_reason(module, message):
    reason = AdaptiveWidth().reason_against(module)
    assert reason is not None
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(reason)


def test_an_mlp_that_does_more_is_left_out():
    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    module = Residual(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    assert (
        AdaptiveWidth().reason_against(module).endswith("does more with its two layers than run them in turn")
    )


def test_settings_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match="learners 1 must be at least 2"):
        AdaptiveWidth(learners=1)
    with pytest.raises(ValueError, match="adaptive width is of changes"):
        AdaptiveWidth().rule("feature")
    delta = converted()
    with pytest.raises(ValueError, match=r"target 1\.0 must be from 0 to below 1"):
        make_objective("token_width", Setting(delta, frames(1)[0], SIZE[1:]), {"target": 1.0})
    plain = dd.convert(transformer("timm"), dd.LinearStudent(gamma=2), dd.inner_layers)
    with pytest.raises(ValueError, match="VisionTransformer has none; take students"):
        make_objective("token_width", Setting(plain, frames(1)[0], SIZE[1:]))
