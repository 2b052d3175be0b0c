"""Streams that learn: what they answer, when they ask, what becomes of failures, going on from a file."""

import logging
import weakref

import pytest
import torch
from online.small_streams import TASK, Stripes, delta_network, frames, nonlinear_network, student
from torch import nn

from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.online.saved import resume_stream, save_stream
from deltadistill.online.settings import Settings
from deltadistill.online.stream import OnlineStream

QUICK = {"shortest": 2, "longest": 8, "learning_rate": 0.1}


def stream_of(kind="frozen", *, teacher=None, seed=1, **settings):
    settings = Settings(**QUICK | settings | ({"batch_norm": kind} if kind in STATISTICS else {}))
    if kind in DELTA:
        return OnlineStream(DELTA[kind](), TASK, settings=settings)
    return OnlineStream(student(seed=seed, norm=True), TASK, teacher=teacher or Stripes(), settings=settings)


STATISTICS = ("frozen", "running", "per_update")
DELTA = {"delta": delta_network, "nonlinear": nonlinear_network}
KINDS = [*STATISTICS, *DELTA]


def agreement(outputs, video):
    counted, teacher = ConfusionMatrix(3), Stripes()
    for output, frame in zip(outputs, video, strict=True):
        counted.update(output.argmax(1), teacher(frame).argmax(1))
    return counted.miou()


@pytest.mark.parametrize("kind", STATISTICS)
def test_it_comes_to_agree_with_the_teacher_and_asks_less_and_less(kind):
    video = frames(40)
    stream = stream_of(kind, answers="student", threshold=0.75, learning_rate=0.3)
    outputs = [stream(frame) for frame in video]
    assert stream.lessons[0].before < 0.3 < 0.7 < agreement(outputs[20:], video[20:])
    assert stream.lessons[0].frame == 0
    assert stream.stride == 8
    assert stream.lessons[-1].steps < stream.lessons[0].steps


def test_without_updates_it_is_the_network_on_every_frame():
    network, video = student(), frames(5)
    stream = OnlineStream(network, TASK, teacher=Stripes(), settings=Settings(updates=0, answers="student"))
    assert all(torch.equal(stream(frame), network(frame)) for frame in video)
    (lesson,) = stream.lessons
    assert (lesson.frame, lesson.steps, lesson.stride) == (0, 0, 8)
    assert lesson.before == lesson.after


def test_a_labelled_frame_is_answered_by_whom_the_settings_say():
    video, teacher = frames(3), Stripes()
    taught, own = (stream_of(teacher=teacher, answers=who, threshold=1) for who in ("teacher", "student"))
    for n, frame in enumerate(video):
        one, other = taught(frame), own(frame)
        assert taught.is_labelled == own.is_labelled == (n in (0, 2))
        assert torch.equal(one, teacher(frame)) == taught.is_labelled
        assert not torch.equal(other, teacher(frame))
    assert [lesson.after for lesson in taught.lessons] == [lesson.after for lesson in own.lessons]


def test_an_update_that_gives_nan_is_undone_and_said(caplog):
    video, stream = frames(3), stream_of(learning_rate=1e38, answers="student")
    before = [parameter.clone() for parameter in stream.network.parameters()]
    with caplog.at_level(logging.WARNING):
        outputs = [stream(frame) for frame in video]
    assert "updates on frame 0 were undone: " in caplog.text
    assert all(torch.equal(*pair) for pair in zip(before, stream.network.parameters(), strict=True))
    assert all(output.isfinite().all() for output in outputs)
    assert [(lesson.frame, bool(lesson.undone), lesson.stride) for lesson in stream.lessons] == [
        (0, True, 2),
        (2, True, 2),
    ]


def test_a_teacher_that_fails_is_asked_again_on_the_next_frame_and_the_student_answers(caplog):
    video, teacher = frames(6), Stripes(broken={1, 2})
    stream = stream_of(teacher=teacher, threshold=1)
    labelled = [stream(frame) is not None and stream.is_labelled for frame in video]
    # asked at 0, at 2 and 3 in vain, at 4
    assert labelled == [True, False, False, False, True, False]
    assert [(lesson.frame, bool(lesson.failed)) for lesson in stream.lessons] == [
        (0, False),
        (2, True),
        (3, True),
        (4, False),
    ]
    assert "frame 2 and is asked again on the next: OSError: the other machine" in caplog.text


def test_a_teacher_that_says_what_is_not_finite_has_failed():
    video, stream = frames(2), stream_of(teacher=Stripes())
    stream._teacher.weight.data.fill_(torch.nan)
    stream(video[0])
    assert stream.lessons[-1].failed == "FloatingPointError: the teacher's output is not finite"
    assert not stream.is_labelled


def test_a_teacher_that_never_answers_ends_the_stream():
    stream = stream_of(teacher=Stripes(broken=range(9)), teacher_failures=2)
    video = frames(3)
    stream(video[0]), stream(video[1])
    with pytest.raises(RuntimeError, match=r"failed on frame 2, the 3\. in a row \(OSError"):
        stream(video[2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_was_killed_goes_on_to_the_same_result(kind, tmp_path):
    video = frames(16)
    whole, first, second = (stream_of(kind, threshold=0.9) for _ in range(3))
    expected = [whole(frame) for frame in video]
    for frame in video[:7]:
        first(frame)
    save_stream(tmp_path / "state.pt", first)
    resume_stream(tmp_path / "state.pt", second)
    assert second.position == 7
    found = [second(frame) for frame in video[7:]]
    assert all(torch.equal(*pair) for pair in zip(found, expected[7:], strict=True))
    assert [vars(lesson) | {"macs": 0} for lesson in second.lessons] == [
        vars(lesson) | {"macs": 0} for lesson in whole.lessons
    ]


def test_a_state_of_another_student_and_another_file_are_refused(tmp_path):
    save_stream(tmp_path / "state.pt", stream_of())
    other = OnlineStream(nn.Conv2d(3, 3, 1), TASK, teacher=Stripes())
    with pytest.raises(ValueError, match="of another student"):
        resume_stream(tmp_path / "state.pt", other)
    torch.save({"weights": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="no state of an online stream in format 2"):
        resume_stream(tmp_path / "other.pt", other)


@pytest.mark.parametrize("kind", KINDS)
def test_begun_again_it_has_forgotten_the_video_before(kind):
    video, stream = frames(9), stream_of(kind)
    first = [stream(frame) for frame in video]
    stream.reset()
    again = [stream(frame) for frame in video]
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))


def test_two_streams_share_a_teacher_and_nothing_else():
    teacher, videos = Stripes().eval(), (frames(12, seed=3), frames(12, seed=4))
    before, frozen = teacher.weight.clone(), Settings(**QUICK, batch_norm="frozen")
    alone = [
        [stream(frame) for frame in video] for video in videos for stream in [stream_of(teacher=teacher)]
    ]
    network = student(norm=True)
    weights = [value.clone() for value in network.state_dict().values()]
    pair = [OnlineStream(network, TASK, teacher=teacher, settings=frozen) for _ in videos]
    together = [[], []]
    for both in zip(*videos, strict=True):
        for stream, frame, found in zip(pair, both, together, strict=True):
            found.append(stream(frame))
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(*outputs) for outputs in zip(one, other, strict=True))
    assert torch.equal(teacher.weight, before)
    assert all(torch.equal(*pair) for pair in zip(weights, network.state_dict().values(), strict=True))


def sessions(stream):
    """What is kept of key frames."""
    return [each for each in [getattr(stream._student, "_session", None)] if each is not None]


@pytest.mark.parametrize("kind", ["running", "delta", "nonlinear"])
def test_memory_stays_as_it_is(kind):
    video, stream = frames(3), stream_of(kind, threshold=1, updates=2)
    seen, sizes = [], []
    for n in range(24):
        seen.append(weakref.ref(stream(video[n % 3])))
        seen += [weakref.ref(each) for each in sessions(stream)]
        sizes.append(stream.state_bytes)
    assert {ref() for ref in seen} <= {None, *sessions(stream)}
    assert len(set(sizes[2:])) == 1  # once there is momentum
    assert stream.lessons.maxlen == 4096


@pytest.mark.parametrize("kind", DELTA)
def test_the_students_of_a_delta_network_learn_and_its_teacher_stays(kind):
    video, stream = frames(40), stream_of(kind, threshold=0.95, loss="imitation", learning_rate=0.02)
    network = DELTA[kind]()
    teachers = {name: value for name, value in network.state_dict().items() if ".teacher." in name}
    for frame in video:
        stream(frame)
    found = stream.network.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in teachers.items())
    assert stream.lessons[0].before is None
    assert any(lesson.steps for lesson in stream.lessons)
    later = [lesson for lesson in stream.lessons if lesson.steps]
    assert sum(lesson.after for lesson in later) > sum(lesson.before for lesson in later)


@pytest.mark.parametrize("kind", DELTA)
def test_on_the_key_frame_itself_the_students_say_what_the_teacher_says_whatever_they_learned(kind):
    video, stream = frames(9), stream_of(kind, threshold=1)
    for frame in video:
        output = stream(frame)
    assert stream.is_labelled
    assert stream.lessons[-1].steps
    assert torch.allclose(stream(video[-1], labelled=False), output, atol=1e-5)


def test_macs_are_those_of_every_answer_and_every_step():
    network, teacher = nn.Conv2d(3, 3, 1), Stripes()  # 9 MACs a pixel, 80 pixels; backward: weights alone
    stream = OnlineStream(
        network, TASK, teacher=teacher, settings=Settings(updates=2, threshold=1, shortest=2)
    )
    found = []
    for frame in frames(3):
        stream(frame)
        found.append(stream.macs)
    assert stream.lessons[0].steps == 2
    assert found == [(3 + 2) * 720, 720, (3 + 2) * 720]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: OnlineStream(student(), TASK), "give one: teacher="),
        (lambda: OnlineStream(delta_network(), TASK, teacher=Stripes()), "labelled by its own teacher"),
        (lambda: stream_of("delta", batch_norm="running"), "which stays as it is"),
        (lambda: stream_of(batch_norm="fixed", kind=None), "batch_norm 'fixed' is unknown"),
        (lambda: Settings(threshold=80), "from 0 to 1"),
        (lambda: Settings(answers="both"), "answers 'both' is unknown"),
        (lambda: Settings(updates=-1), "cannot be below 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
