"""What holds for every delta network, over public segmentation, detection and classification networks."""

from functools import lru_cache

import pytest
import torch
from zoo.networks import ENTRIES, ONE_STAGE, TWO_STAGES
from zoo.runs import Subject, every_layer, largest_error

import deltadistill as dd
from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED

DETECTORS = (*TWO_STAGES, *ONE_STAGE)
BOXES = {"boxes", "labels", "scores"}


def parameter(name):
    marks = [pytest.mark.xdist_group(name)] + ([] if ENTRIES[name].fast else [pytest.mark.zoo])
    return pytest.param(name, id=name, marks=marks)


every_network = pytest.mark.parametrize("subject", [*map(parameter, ENTRIES)], indirect=True)


@pytest.fixture(scope="module")
def subject(request):
    if request.param.startswith("efficientdet"):
        pytest.importorskip("effdet")
    return subject_named(request.param)


@lru_cache(maxsize=2)  # spread over processes, the tests of a network do not always follow one another
def subject_named(name):
    return Subject(ENTRIES[name])


@every_network
def test_the_clip_moves_so_that_a_wrong_pairing_shows(subject):
    first, *later = subject.teacher
    assert min(largest_error([frame], [first]) for frame in later) > 0.1


@every_network
def test_uncompressed_students_give_the_teachers_output_on_every_frame(subject):
    subject.decide(UNCOMPRESSED)
    error = largest_error(subject.as_clip(subject.clip), subject.teacher)
    assert error <= subject.entry.tolerance


@every_network
def test_a_static_clip_gives_the_key_frames_output_on_every_frame(subject):
    subject.decide(COMPRESSED)
    still = subject.clip[:, :1].expand_as(subject.clip).contiguous()
    frames = subject.clip.shape[1]
    error = largest_error(subject.as_clip(still), subject.teacher[:1] * frames)
    assert error <= subject.entry.tolerance


@every_network
def test_a_stream_gives_what_the_clip_gives(subject):
    subject.decide(COMPRESSED)
    frames = subject.clip.shape[1]
    error = largest_error(subject.as_stream(period=frames), subject.as_clip(subject.clip))
    assert error <= subject.entry.tolerance


@every_network
def test_sequences_of_one_frame_are_the_teacher(subject):
    subject.decide(COMPRESSED)
    error = largest_error(subject.as_stream(period=1), subject.teacher)
    assert error <= subject.entry.tolerance
    error = largest_error(subject.as_clip(subject.clip[:, :1]), subject.teacher[:1])
    assert error <= subject.entry.tolerance


@every_network
def test_null_students_repeat_the_features_of_their_own_clips_key_frame(subject):
    expected = subject.with_key_features()
    with subject.null_students():
        error = largest_error(subject.as_clip(subject.clip), expected)
    assert error <= subject.entry.tolerance


@every_network
def test_the_report_accounts_for_every_layer_with_parameters(subject):
    layers = {name for name, module in subject.plain.named_modules() if module._parameters}
    report = dd.conversion_report(subject.network)
    assert {row.name for row in report} == layers
    selected = set(every_layer(subject.plain))
    left = [row for row in report if row.name in selected and not row.converted]
    assert all(row.reason not in ("", "not selected") for row in left)
    assert {row.name for row in report if row.converted} == set(subject.blocks)


@pytest.mark.parametrize("subject", [*map(parameter, DETECTORS)], indirect=True)
def test_detections_come_back_per_clip_and_per_frame(subject):
    clips, frames = subject.clip.shape[:2]
    with torch.no_grad():
        output = dd.forward_clip(subject.network, subject.clip)
    assert [len(clip) for clip in output] == [frames] * clips
    assert all(set(frame) >= BOXES for clip in output for frame in clip)
    streamed = dd.Stream(subject.network, period=2)(subject.clip[:, 0])
    assert len(streamed) == clips
    assert all(set(detections) >= BOXES for detections in streamed)
