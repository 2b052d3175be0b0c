"""The stride rule, whole sequences worked by hand."""

import pytest

from deltadistill.online.stride import Strides, Supervision, next_stride


@pytest.mark.parametrize(
    ("stride", "passed", "expected"),
    [(8, True, 16), (32, True, 64), (64, True, 64), (64, False, 32), (16, False, 8), (8, False, 8)],
)
def test_it_doubles_on_success_and_halves_otherwise_within_bounds(stride, passed, expected):
    assert next_stride(stride, Strides(8, 64), passed=passed) == expected


def test_bounds_that_are_no_powers_of_each_other_are_kept_too():
    strides, found = Strides(3, 20), []
    stride = 3
    for passed in (True, True, True, True, False, False, False, False, True):
        stride = next_stride(stride, strides, passed=passed)
        found.append(stride)
    assert found == [6, 12, 20, 20, 10, 5, 3, 3, 6]


def labelled(outcomes, *, frames, shortest=8, longest=64):
    """Numbers of the frames that the teacher is asked for, when these become of them in turn."""
    supervision, outcomes, found = Supervision(Strides(shortest, longest)), iter(outcomes), []
    for frame in range(frames):
        if not supervision.is_due:
            supervision.not_labelled()
            continue
        found.append(frame)
        passed = next(outcomes)
        if passed is None:
            supervision.failed()
        else:
            supervision.labelled(passed=passed)
    return found


def test_a_student_that_always_passes_is_asked_about_ever_more_seldom():
    # strides 16, 32, 64, 64, 64 from frame 0 on
    assert labelled([True] * 9, frames=241) == [0, 16, 48, 112, 176, 240]


def test_a_student_that_never_passes_is_taught_at_the_shortest_stride():
    assert labelled([False] * 9, frames=33) == [0, 8, 16, 24, 32]


def test_a_change_of_scene_brings_the_teacher_back():
    # passes at 0, 16, 48 (16, 32, 64); fails at 112, 144, 160 (32, 16, 8); passes at 168 (16)
    outcomes = [True, True, True, False, False, False, True, True]
    assert labelled(outcomes, frames=185) == [0, 16, 48, 112, 144, 160, 168, 184]


def test_a_teacher_that_fails_is_asked_on_the_next_frame_and_the_stride_stays():
    # 0 passes (16); 16 and 17 fail; 18 passes (32)
    assert labelled([True, None, None, True, True], frames=51) == [0, 16, 17, 18, 50]


def test_a_state_goes_on_in_the_midst_of_a_stride():
    one, other = Supervision(Strides(2, 8)), Supervision(Strides(2, 8))
    one.labelled(passed=True)
    one.not_labelled()
    other.restore(one.state())
    found = []
    for _ in range(3):
        found.append(other.is_due)
        other.not_labelled()
    assert (other.stride, found) == (4, [False, False, True])
    other.reset()
    assert (other.stride, other.is_due) == (2, True)


@pytest.mark.parametrize("bounds", [(0, 8), (9, 8)])
def test_bounds_that_leave_no_stride_are_refused(bounds):
    with pytest.raises(ValueError, match="1 ≤ shortest ≤ longest"):
        Strides(*bounds)
