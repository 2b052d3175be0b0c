"""What holds for every delta network (tests/test_invariants.py), on detectors and with boxes as output."""

import pytest
import torch
from tasks.boxes_by_hand import detection
from tasks.detectors import OPTIONS, build, clip
from torch.utils._pytree import tree_leaves

import deltadistill as dd
from deltadistill import models
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.sessions import ClipSession
from deltadistill.data.boxes import Objects
from deltadistill.forward.clip_axes import all_frames, later_frames
from deltadistill.forward.outputs import frame_outputs
from deltadistill.metrics.mean_average_precision import MeanAveragePrecision
from deltadistill.objectives.teacher_pass import probe_teacher

TASK = detection(3, min_score=0.2)
STUDENTS = dd.LinearStudent(gamma=4, rank="min")


def converted(name, candidate="compressed"):
    network = dd.convert(build(name), STUDENTS, models.published_convolutions, example=clip(1)[0, :2])
    for block in delta_blocks(network).values():
        block.decide(candidate)
    return network


def boxes(network, output):
    return TASK.predict(output, network=network)


def per_frame(network, frames):
    """Detections of every frame by itself: a list over time of one per clip."""
    with torch.no_grad():
        return [boxes(network, frame_outputs(network, frame)) for frame in frames.unbind(1)]


def whole_clip(network, frames):
    with torch.no_grad():
        found = boxes(network, all_frames(dd.forward_clip(network, frames, run=frame_outputs)))
    clips, length = frames.shape[:2]
    return [found[t * clips : (t + 1) * clips] for t in range(length)]


def streamed(network, frames, period=None):
    stream = dd.Stream(network, period=period or frames.shape[1], run=frame_outputs)
    return [boxes(network, stream(frame)) for frame in frames.unbind(1)]


def assert_same_boxes(actual, expected):
    """The same detections: each set finds all of the other, nearly exactly, in the same order of scores."""
    for ours, theirs in zip(actual, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert len(one) == len(other) > 0
            assert one.scores == pytest.approx(other.scores, abs=1e-3)
            metric = MeanAveragePrecision(3)
            metric.update(one, Objects(other.boxes, other.classes))
            assert metric.score().map > 0.99


@pytest.fixture(scope="module", params=OPTIONS)
def name(request):
    return request.param


def test_uncompressed_students_give_the_teachers_boxes_on_every_frame(name):
    assert_same_boxes(whole_clip(converted(name, "uncompressed"), clip()), per_frame(build(name), clip()))


def test_a_static_clip_gives_the_key_frames_boxes_on_every_frame(name):
    still = clip()[:, :1].expand(-1, 3, -1, -1, -1).contiguous()
    found = whole_clip(converted(name), still)
    assert_same_boxes(found, [found[0]] * 3)


def test_a_stream_gives_the_boxes_that_the_clip_gives_and_deployed_as_well(name):
    network = converted(name)
    found = whole_clip(network, clip())
    assert_same_boxes(streamed(network, clip()), found)
    assert_same_boxes(streamed(dd.deploy(network), clip()), found)


def test_sequences_of_one_frame_are_the_teacher(name):
    network, teacher = converted(name), per_frame(build(name), clip())
    assert_same_boxes(streamed(network, clip(), period=1), teacher)
    assert_same_boxes(whole_clip(network, clip()[:, :1]), teacher[:1])


def test_compressed_students_change_the_boxes_of_delta_frames_alone(name):
    found, teacher = whole_clip(converted(name), clip()), per_frame(build(name), clip())
    assert_same_boxes(found[:1], teacher[:1])
    with pytest.raises(AssertionError):
        assert_same_boxes(found[1:], teacher[1:])


def test_every_level_of_a_head_keeps_its_own_state_and_its_own_distillation_term():
    network = converted("efficientdet_d0")
    stream = dd.Stream(network, period=3)
    stream(clip()[:, 0])
    session = ClipSession(3, targets=probe_teacher(network, later_frames(clip())).targets)
    dd.forward_clip(network, clip(), session=session)
    names = {block: name for name, block in delta_blocks(network).items()}
    head = network.get_submodule("class_net.predict.conv_pw")
    states = [state for (block, _), state in stream._session.state.items() if block is head]
    sizes = [tuple(level) for level in network.anchors.level_sizes]
    assert [tuple(state[-1].shape[-2:]) for state in states] == sizes
    calls = [index for block, index in session.errors if block is head]
    assert calls == [0, 1, 2, 3, 4]
    assert len({session.errors[head, index].energy.item() for index in calls}) == 5
    assert {index for block, index in session.errors if names[block].startswith("backbone")} == {0}


def test_the_loss_of_delta_frames_reaches_the_students(name):
    network = converted(name)
    references = torch.tensor([[[20.0, 20, 60, 80, 1]]]).repeat(6, 1, 1)
    targets = TASK.targets(references, network=network)
    outputs = all_frames(dd.forward_clip(network, clip(), run=frame_outputs))
    loss = TASK.loss(outputs, targets, network=network)
    loss.backward()
    students = [leaf for block in delta_blocks(network).values() for leaf in block.compressed.parameters()]
    assert all(leaf.grad is not None and leaf.grad.any() for leaf in students)


def test_the_macs_of_a_detector_are_counted_and_a_delta_frame_is_cheaper(name):
    table = dd.count_macs(dd.deploy(converted(name)), (3, 128, 128))
    assert table.delta < 0.9 * table.key == 0.9 * table.teacher
    outputs = frame_outputs(build(name), clip()[:, 0])
    assert all(leaf.isfinite().all() for leaf in tree_leaves(outputs))
