"""What holds for every delta network, over several architectures (docs/method.md)."""

import pytest
import torch
from architectures import ARCHITECTURES, build
from torch import nn
from torch.utils._pytree import tree_leaves

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks

TOLERANCE = 1e-4


LINEAR = dd.LinearStudent(gamma=2)
NONLINEAR = {
    "channel": dd.ChannelStudent(gamma=2),
    "spatial": dd.SpatialStudent(stride=2),
    "channel_spatial": dd.ChannelSpatialStudent(gamma=2, stride=2),
    "reduced": dd.ReducedResolution(),
    "reduced whole": dd.ReducedResolution(factor=4),
}


def converted(name, candidate="compressed", predicts="delta"):
    network = dd.convert(build(name), LINEAR, dd.inner_layers, predicts=predicts)
    for block in delta_blocks(network).values():
        block.decide(candidate)
    return network


def with_nonlinear_students(kind, candidate="compressed"):
    """A network of residual blocks whose students, drawn at random, predict some change."""
    where = dd.whole_network if "whole" in kind else dd.residual_blocks
    network = dd.convert(build("ddrnet"), NONLINEAR[kind], where)
    for block in delta_blocks(network).values():
        student = block.compressed
        for layer in (student.gate, student.encoding) if "reduced" in kind else (student.out,):
            nn.init.normal_(layer.weight, std=0.1)
        block.decide(candidate)
    return network


def per_frame(network, clip):
    """Run every frame by itself; a list over frames of lists of output tensors."""
    with torch.no_grad():
        return [[leaf.clone() for leaf in tree_leaves(network(frame))] for frame in clip.unbind(1)]


def whole_clip(network, clip, **options):
    with torch.no_grad():
        leaves = tree_leaves(dd.forward_clip(network, clip, **options))
    return [[leaf[:, t] for leaf in leaves] for t in range(clip.shape[1])]


def streamed(network, clip, **options):
    stream = dd.Stream(network, **{"period": clip.shape[1], **options})
    return [[leaf.clone() for leaf in tree_leaves(stream(frame))] for frame in clip.unbind(1)]


def assert_close(actual, expected):
    for frame, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        for a, b in zip(ours, theirs, strict=True):
            error = (a - b).norm() / b.norm().clamp_min(1e-9)
            assert error <= TOLERANCE, f"frame {frame}: relative error {error:.2e}"


@pytest.fixture
def clip():
    return torch.randn(2, 4, 3, 40, 56, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_uncompressed_students_give_the_teachers_output_on_every_frame(name, clip):
    assert_close(whole_clip(converted(name, "uncompressed"), clip), per_frame(build(name), clip))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_static_clip_gives_the_key_frames_output_on_every_frame(name, clip):
    still = clip[:, :1].expand(-1, 4, -1, -1, -1).contiguous()
    outputs = whole_clip(converted(name), still)
    assert_close(outputs, [outputs[0]] * 4)


@pytest.mark.parametrize("predicts", ["delta", "feature"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_stream_gives_what_the_clip_gives(name, predicts, clip):
    network = converted(name, predicts=predicts)
    assert_close(streamed(network, clip), whole_clip(network, clip))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_sequences_of_one_frame_are_the_teacher(name, clip):
    network = converted(name)
    teacher = per_frame(build(name), clip)
    assert_close(streamed(network, clip, period=1), teacher)
    assert_close(whole_clip(network, clip[:, :1]), teacher[:1])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_deltas_to_the_key_frame_and_to_the_previous_frame_agree(name, clip):
    network = converted(name)
    assert_close(streamed(network, clip, relative_to="previous"), streamed(network, clip))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_outside_a_clip_the_converted_network_is_the_teacher(name, clip):
    assert_close(per_frame(converted(name), clip), per_frame(build(name), clip))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_null_students_repeat_what_the_key_frame_made_of_every_converted_block(name, clip):
    """A linear student that is exact cannot show frames paired wrongly; one that predicts nothing does."""
    network, reference = converted(name), build(name)
    for block in delta_blocks(network).values():
        block.compressed[1].weight.data.zero_()
    kept = {}

    def remember(module, arguments, output):
        calls = kept.setdefault(module, [])
        calls.append(output.clone())

    def repeat(module, arguments, output):
        replay = kept[module]
        replay.append(replay.pop(0))
        return replay[-1].clone()

    taught = {network.get_submodule(n).teacher: n for n in delta_blocks(network)}
    blocks = [reference.get_submodule(n) for n in taught.values()]
    expected = []
    for t, frame in enumerate(clip.unbind(1)):
        hooks = [block.register_forward_hook(repeat if t else remember) for block in blocks]
        with torch.no_grad():
            expected.append([leaf.clone() for leaf in tree_leaves(reference(frame))])
        for hook in hooks:
            hook.remove()
    assert_close(streamed(network, clip), expected)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_deploying_changes_no_output(name, clip):
    network = converted(name)
    assert_close(streamed(dd.deploy(network), clip), streamed(network, clip))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_report_accounts_for_every_layer_with_parameters(name):
    plain = build(name)
    layers = {n for n, m in plain.named_modules() if list(m.parameters(recurse=False))}
    for students, where in ((LINEAR, dd.inner_layers), (NONLINEAR["channel"], dd.residual_blocks)):
        if where(plain):
            report = dd.conversion_report(dd.convert(plain, students, where))
            assert {row.name for row in report} == layers
            assert all(row.converted != bool(row.reason) for row in report)


@pytest.mark.parametrize("kind", NONLINEAR)
def test_what_holds_for_linear_students_holds_for_nonlinear_ones(kind, clip):
    network, teacher = with_nonlinear_students(kind), per_frame(build("ddrnet"), clip)
    assert_close(per_frame(network, clip), teacher)
    assert_close(streamed(network, clip, period=1), teacher)
    assert_close(streamed(network, clip), whole_clip(network, clip))
    assert_close(streamed(dd.deploy(network), clip), streamed(network, clip))
    still = clip[:, :1].expand(-1, 4, -1, -1, -1).contiguous()
    assert_close(whole_clip(network, still), [whole_clip(network, still)[0]] * 4)
    assert_close(whole_clip(with_nonlinear_students(kind, "uncompressed"), clip), teacher)


@pytest.mark.parametrize("kind", NONLINEAR)
def test_nonlinear_students_can_follow_the_previous_frame(kind, clip):
    """Not the same as following the key frame; but on the first delta frame both see the same."""
    network = with_nonlinear_students(kind)
    to_key, to_previous = (streamed(network, clip, relative_to=which) for which in ("key", "previous"))
    assert_close(to_previous[:2], to_key[:2])
    assert not torch.allclose(to_previous[2][0], to_key[2][0])


@pytest.mark.parametrize("predicts", ["delta", "feature"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_clip_relative_to_the_previous_frame_is_the_stream_that_is(name, predicts, clip):
    network = converted(name, predicts=predicts)
    clip_wise = whole_clip(network, clip, relative_to="previous")
    assert_close(clip_wise, streamed(network, clip, relative_to="previous"))


@pytest.mark.parametrize("candidate", ["compressed", "uncompressed"])
@pytest.mark.parametrize("kind", NONLINEAR)
def test_a_clip_of_nonlinear_students_may_follow_the_previous_frame(kind, candidate, clip):
    network = with_nonlinear_students(kind, candidate)
    clip_wise = whole_clip(network, clip, relative_to="previous")
    assert_close(clip_wise, streamed(network, clip, relative_to="previous"))


def test_random_students_agree_with_a_loop_written_by_hand(clip):
    torch.manual_seed(5)
    first, inner, last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3), nn.Conv2d(6, 2, 1)
    network = dd.convert(
        nn.Sequential(first, inner, nn.ReLU(), last), dd.LinearStudent(initialisation="random")
    )
    (block,) = delta_blocks(network).values()
    block.decide("compressed")
    with torch.no_grad():
        x_key = first(clip[:, 0])
        z_key = inner(x_key)
        expected = [[last(z_key.relu())]]
        for frame in clip.unbind(1)[1:]:
            z = z_key + block.compressed[1](block.compressed[0](first(frame) - x_key))
            expected.append([last(z.relu())])
    assert_close(streamed(network, clip), expected)
