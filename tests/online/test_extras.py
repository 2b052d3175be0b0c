"""What streams may do beyond the published method, option by option."""

import threading

import pytest
import torch
from online.small_streams import TASK, Stripes, delta_network, frames, student
from torch import nn

from deltadistill.online.late import LateTeacher
from deltadistill.online.parts import largest_gradients, last_parameters
from deltadistill.online.replay import Replay
from deltadistill.online.saved import resume_stream, save_stream
from deltadistill.online.scenes import Scenes, distance, look
from deltadistill.online.settings import Settings
from deltadistill.online.stream import OnlineStream
from deltadistill.online.stride import Strides
from deltadistill.online.uncertainty import WhereUnsure, uncertainty

QUICK = {"shortest": 2, "longest": 8, "learning_rate": 0.1, "threshold": 1, "updates": 2}
OPTIONS = {
    "largest": {"part": "largest", "share": 0.2},
    "last": {"part": "last", "share": 0.2},
    "replay": {"replay": 3},
    "unsure": {"unsure": 0.3},
    "lag": {"lag": 3},
    "scenes": {"scenes": 2},
    "learns_until": {"learns_until": 5},
}


def stream_of(teacher=None, network=None, **settings):
    return OnlineStream(
        network or student(), TASK, teacher=teacher or Stripes(), settings=Settings(**QUICK | settings)
    )


def weights(stream):
    return [parameter.detach().clone() for parameter in stream.network.parameters()]


def changed(before, after):
    return [int((one != other).sum()) for one, other in zip(before, after, strict=True)]


def test_the_largest_gradients_are_a_share_of_all_values_together():
    gradients = [torch.tensor([0.1, -4.0]), None, torch.tensor([[2.0, 0.5], [-3.0, 1.0]])]
    # 6 values, half of them: 4, 3 and 2
    masks = largest_gradients(gradients, 0.5)
    assert masks[0].tolist() == [False, True]
    assert masks[1] is None
    assert masks[2].tolist() == [[True, False], [True, False]]
    assert sum(int(mask.sum()) for mask in largest_gradients(gradients, 0.01) if mask is not None) == 1


def test_steps_on_a_frame_change_that_share_alone_and_the_next_frame_another():
    stream = stream_of(part="largest", share=0.1)
    every = sum(each.numel() for each in stream.network.parameters())
    before = weights(stream)
    video = frames(3)
    stream(video[0])
    after = weights(stream)
    assert stream.lessons[0].steps == 2
    assert 0 < sum(changed(before, after)) <= -(-every // 10)
    stream(video[1])
    stream(video[2])
    assert 0 < sum(changed(after, weights(stream))) <= -(-every // 10)


def test_the_last_parameters_are_whole_ones_from_the_end():
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))  # 6, 2, 2, 1 values
    sizes = lambda share: [each.numel() for each in last_parameters(network, share)]  # noqa: E731
    assert sizes(0.05) == [1]
    assert sizes(0.1) == [2, 1]
    assert sizes(1) == [6, 2, 2, 1]


def test_where_the_last_learn_the_others_stay_and_a_step_costs_less():
    whole, last = stream_of(), stream_of(part="last", share=0.05)
    before = weights(last)
    for frame in frames(1):
        whole(frame), last(frame)
    assert [bool(count) for count in changed(before, weights(last))] == [False, False, True, True]
    assert last.macs < whole.macs


def test_a_reservoir_keeps_early_frames_and_late_ones_and_depends_on_their_order_alone():
    kept = []
    for _ in range(2):
        replay = Replay(8)
        for n in range(200):
            replay.add(torch.tensor(n), None)
        kept.append([int(frame) for frame, _ in replay.state()["kept"]])
        drawn = {int(replay.draw(step)[0]) for step in range(64)}
    assert kept[0] == kept[1]
    assert len(kept[0]) == 8
    assert min(kept[0]) < 100 < max(kept[0])
    assert drawn == set(kept[0])


def test_with_replay_a_step_follows_on_a_frame_from_before():
    alone, again = stream_of(), stream_of(replay=2)
    for frame in frames(5):
        alone(frame), again(frame)
    assert [lesson.steps for lesson in alone.lessons] == [2, 2, 2]
    assert [lesson.steps for lesson in again.lessons] == [2, 4, 4]
    assert again.state_bytes > alone.state_bytes


def test_uncertainty_is_one_less_the_probability_of_the_answer():
    logits = torch.tensor([3.0, 1.0]).log().reshape(1, 2, 1, 1)  # probabilities 3/4 and 1/4
    assert uncertainty(logits) == pytest.approx(0.25)


def test_the_teacher_is_asked_after_an_unsure_answer_within_the_bounds():
    sure, unsure = torch.tensor([9.0, 0.0]).reshape(1, 2, 1, 1), torch.zeros(1, 2, 1, 1)
    supervision, asked = WhereUnsure(Strides(2, 5), 0.3), []
    for n, answer in enumerate([sure, unsure, unsure, sure, sure, sure, sure, sure, sure, unsure, sure]):
        if supervision.is_due:
            asked.append(n)
            supervision.labelled(passed=False)
        else:
            supervision.not_labelled()
            supervision.answered(answer)
    # 0; 2, after the unsure 1; 7, after five; 10, after the unsure 9
    assert asked == [0, 2, 7, 10]
    assert supervision.stride == 3


def test_a_late_label_is_learned_from_so_many_frames_after_and_every_answer_is_the_students():
    video, teacher = frames(9), Stripes()
    stream, told = stream_of(teacher, lag=3), []
    for frame in video:
        before = weights(stream)
        output = stream(frame)
        assert not stream.by_teacher
        assert not torch.equal(output, Stripes()(frame))
        told.append((stream.is_labelled, sum(changed(before, weights(stream))) > 0, stream.steps))
    # asked at 0, told at 3; δ = 2 from there: asked at 5, told at 8
    assert told == [(n in (3, 8), n in (3, 8), 2 * (n in (3, 8))) for n in range(9)]
    assert teacher.calls == 2


def test_a_late_teacher_works_while_the_student_answers():
    may_go_on, began = threading.Event(), threading.Event()

    def label(frame):
        began.set()
        assert may_go_on.wait(10)
        return frame

    late = LateTeacher(label, 2)
    late.ask(torch.ones(1))
    assert began.wait(10)
    assert late.is_busy
    assert late.passed() is None
    may_go_on.set()
    _, output = late.passed()
    assert torch.equal(output.result(), torch.ones(1))
    assert not late.is_busy


def test_a_late_teacher_that_fails_is_asked_again(caplog):
    stream = stream_of(Stripes(broken=[0]), lag=2)
    for frame in frames(6):
        stream(frame)
    assert [bool(lesson.failed) for lesson in stream.lessons] == [True, False]
    assert "is asked again on the next" in caplog.text


def test_a_scene_is_known_by_its_brightness_in_parts():
    frame = torch.zeros(1, 3, 16, 16)
    brighter = frame.clone()
    brighter[..., :8, :] = 1
    assert look(frame).shape == (1, 1, 8, 8)
    assert distance(look(frame), look(brighter)) == 0.5


def test_what_was_learned_of_a_scene_is_there_when_it_comes_back():
    dark, light = frames(3, seed=1), [frame + 5 for frame in frames(3, seed=2)]
    stream = stream_of(scenes=2)
    for frame in dark:
        stream(frame)
    learned = weights(stream)
    for frame in light:
        stream(frame)
    assert sum(changed(learned, weights(stream))) > 0
    asked = len(stream.lessons)
    answer = stream._look_for_a_cut(dark[-1])
    assert answer is None
    assert sum(changed(learned, weights(stream))) == 0
    assert stream._is_due(None)
    assert len(stream.lessons) == asked


def test_of_scenes_the_longest_unseen_goes_first():
    scenes, found, order = Scenes(2, 0.5), [], (0, 1, 2, 1, 3, 1, 0)  # each of another brightness
    for n, left in zip(order, (None, *order), strict=False):
        if scenes.is_cut(torch.full((1, 3, 8, 8), 2.0 * n)):
            found.append(scenes.change({"tensors": [left]}))
    # left behind: 0, 1, 2, 1, 3, 1; kept of them after each: 0 | 0 1 | 0 2 | 2 1 | 2 3 | 3 1
    assert [found and found["tensors"][0] for found in found] == [None, None, 1, None, 1, None]


def test_after_its_last_frame_to_learn_from_it_asks_and_learns_no_more():
    teacher = Stripes()
    stream = stream_of(teacher, learns_until=5)
    for frame in frames(5):
        stream(frame)
    learned, calls = weights(stream), teacher.calls
    for frame in frames(6, seed=3):
        stream(frame)
    assert calls == teacher.calls == 3
    assert sum(changed(learned, weights(stream))) == 0


@pytest.mark.parametrize("option", OPTIONS)
def test_with_every_option_a_stream_that_was_killed_goes_on_to_the_same_result(option, tmp_path):
    video = [frame + 5 * (n // 3 % 2) for n, frame in enumerate(frames(13))]
    whole, first, second = (stream_of(**OPTIONS[option]) for _ in range(3))
    expected = [whole(frame) for frame in video]
    for frame in video[:7]:
        first(frame)
    save_stream(tmp_path / "state.pt", first)
    resume_stream(tmp_path / "state.pt", second)
    found = [second(frame) for frame in video[7:]]
    assert all(torch.equal(*pair) for pair in zip(found, expected[7:], strict=True))


def test_a_state_of_other_options_is_refused(tmp_path):
    save_stream(tmp_path / "state.pt", stream_of(replay=3))
    with pytest.raises(ValueError, match=r"the state has \['replay'\], this stream \[\]"):
        resume_stream(tmp_path / "state.pt", stream_of())


@pytest.mark.parametrize("option", ["last", "replay", "lag", "scenes"])
def test_the_students_of_a_delta_network_refuse_what_they_cannot_have(option):
    settings = Settings(**QUICK | OPTIONS[option])
    with pytest.raises(ValueError, match="not for the students of a delta network"):
        OnlineStream(delta_network(), TASK, settings=settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"part": "first"}, "part 'first' is unknown"),
        ({"part": "all", "share": 0.5}, "of all of them 1"),
        ({"part": "last", "share": 0}, "above 0"),
        ({"lag": -1}, "cannot be below 0"),
        ({"learns_until": 0}, "one frame at least"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Settings(**settings)
