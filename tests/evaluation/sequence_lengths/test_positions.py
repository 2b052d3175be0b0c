"""Every labelled frame at every position of a sequence."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from deltadistill.data.manifest import Frame
from deltadistill.evaluation import positions
from deltadistill.metrics.measures import MIOU, Measure
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.tasks.task import Scores

TASK = Segmentation(2)


def is_labelled(frame):
    return frame.label is not None


def clip_of(length, labelled=None):
    return tuple(
        Frame("a", i, "test", f"{i}.png", f"{i}l.png" if labelled is None or i in labelled else None, None)
        for i in range(length)
    )


def test_every_scored_frame_stands_once_at_every_distance():
    runs = positions.position_runs({"a": clip_of(6)}, 3, counts=is_labelled)
    placed = sorted((run.frames[d].index, d) for run in runs for d, scored in enumerate(run.scored) if scored)
    assert placed == [(index, d) for index in (2, 3, 4, 5) for d in range(3)]


def test_a_sparse_label_is_reached_from_every_earlier_start():
    runs = positions.position_runs({"a": clip_of(30, labelled=[19])}, 3, counts=is_labelled)
    assert [[frame.index for frame in run.frames] for run in runs] == [[17, 18, 19], [18, 19], [19]]


def test_a_run_ends_with_the_last_label_within_its_reach():
    runs = positions.position_runs({"a": clip_of(13, labelled=[1, 4, 6, 11])}, 3, counts=is_labelled)
    spans = [(run.frames[0].index, run.frames[-1].index) for run in runs]
    assert spans == [(2, 4), (3, 4), (4, 6), (5, 6), (6, 6), (9, 11), (10, 11), (11, 11)]
    assert runs[2].scored == (True, False, True)
    # the second frame has not enough before it to stand at distance 2
    assert {frame.index for frame in positions.scored(runs)} == {4, 6, 11}


def test_frames_without_labels_count_when_none_are_needed():
    clips = {"a": clip_of(4, labelled=[])}
    assert positions.position_runs(clips, 2, counts=is_labelled) == []
    assert len(positions.position_runs(clips, 2)) == 4


class _Echo:
    """Predicts the distance to the key frame as the label of every pixel."""

    uses_history = True

    def begin(self, stream):
        self.distance = -1

    def answer(self, frame):
        self.distance += 1
        return torch.full((len(frame.pictures), 2, 2), self.distance, dtype=torch.uint8)


@pytest.fixture
def store():
    return SimpleNamespace(image=lambda frame: torch.zeros(3, 2, 2, dtype=torch.uint8))


def test_predictions_are_counted_under_their_distance(store):
    task = Segmentation(4)
    runs = positions.position_runs({"a": clip_of(5)}, 3, counts=is_labelled)
    reference = lambda frame: torch.full((2, 2), 1, dtype=torch.uint8)  # noqa: E731
    matrices = positions.score_positions(_Echo(), task, store, runs, reference, longest=3, batch=2)
    # three scored frames of four pixels, each at every distance; the prediction at distance d is d
    assert [matrix.counts[1].tolist() for matrix in matrices["a"]] == [
        [12, 0, 0, 0],
        [0, 12, 0, 0],
        [0, 0, 12, 0],
    ]


def test_a_length_averages_miou_over_its_positions():
    good, bad = ConfusionMatrix(2), ConfusionMatrix(2)
    labels = torch.tensor([0, 0, 1, 1])
    good.update(labels, labels)
    bad.update(torch.tensor([0, 1, 1, 0]), labels)  # IoU 1/3 for both classes
    scores = positions.length_scores([TASK.scores(good), TASK.scores(bad)], 2, ["x", "y"], MIOU)
    assert scores["miou"] == pytest.approx((100 + 100 / 3) / 2)
    assert scores["miou_per_distance"] == pytest.approx([100, 100 / 3])
    assert scores["iou"]["x"] == pytest.approx((100 + 100 / 3) / 2)


def test_a_class_that_is_nowhere_has_no_iou():
    matrix = ConfusionMatrix(2)
    matrix.update(torch.zeros(3, dtype=torch.uint8), torch.zeros(3, dtype=torch.uint8))
    scores = positions.length_scores([TASK.scores(matrix)], 1, ["x", "y"], MIOU)
    assert scores["iou"] == {"x": 100.0, "y": None}
    assert scores["miou"] == pytest.approx(100)


def test_clips_add_up_distance_by_distance():
    labels = torch.tensor([0, 1])
    matrices = {clip: [ConfusionMatrix(2), ConfusionMatrix(2)] for clip in "ab"}
    matrices["a"][0].update(labels, labels)
    matrices["b"][0].update(labels, labels)
    matrices["b"][1].update(labels.flip(0), labels)
    together = positions.over_all_clips(matrices)
    assert [matrix.counts.tolist() for matrix in together] == [[[2, 0], [0, 2]], [[0, 1], [1, 0]]]


class _Sum:
    """A metric that is equal to every other."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return True

    def __add__(self, other):
        return _Sum(self.value + other.value)


def test_only_one_and_the_same_metric_stands_for_all_distances():
    one, other = _Sum(1), _Sum(20)
    together = positions.over_all_clips({"a": [one, one], "b": [other, other]})
    assert [metric.value for metric in together] == [21, 21]
    assert together[0] is together[1]
    apart = positions.over_all_clips({"a": [one, _Sum(3)], "b": [other, other]})
    assert [metric.value for metric in apart] == [21, 23]


def test_scores_by_length_hold_all_clips_together_and_each_alone():
    labels = torch.tensor([0, 0, 1, 1])
    matrices = {clip: [ConfusionMatrix(2)] for clip in "ab"}
    matrices["a"][0].update(labels, labels)
    matrices["b"][0].update(torch.tensor([0, 1, 1, 0]), labels)  # IoU 1/3 for both classes
    scores = positions.scores_by_length(TASK, matrices, [1], ["x", "y"])[1]
    assert scores["miou_per_clip"] == pytest.approx({"a": 100, "b": 100 / 3})
    assert scores["miou"] == pytest.approx(100 * 6 / 10)  # 3 of 5 pixels in each class's union


class _Share:
    """A metric: hits of so many."""

    def __init__(self, hits, total):
        self.hits, self.total = hits, total

    def __add__(self, other):
        return _Share(self.hits + other.hits, self.total + other.total)


class _Counted:
    """A task that notes how often it was asked for a score."""

    measure = Measure("main", "M", "of_class", "M")

    def __init__(self):
        self.asked = 0

    def score(self, metric):
        self.asked += 1
        return metric.hits / metric.total

    def scores(self, metric):
        return Scores({"main": self.score(metric)}, (metric.hits / metric.total, 0.25))


def test_scores_are_at_each_length_the_mean_over_its_distances():
    metrics = {
        "a": [_Share(4, 5), _Share(1, 5), _Share(1, 10), _Share(0, 5)],
        "b": [_Share(2, 15), _Share(4, 5), _Share(3, 10), _Share(5, 5)],
        "c": [_Share(0, 5), _Share(5, 10), _Share(2, 10), _Share(5, 5)],
    }
    found = positions.scores_by_length(_Counted(), metrics, [3, 1], ["x", "y"])
    # together: 6 of 25, 10 of 20, 6 of 30; the fourth distance belongs to neither length
    assert list(found) == [3, 1]
    assert found[1]["main"] == pytest.approx(24)
    assert found[1]["main_per_clip"] == pytest.approx({"a": 80, "b": 40 / 3, "c": 0})
    assert found[3]["main"] == pytest.approx((24 + 50 + 20) / 3)
    assert found[3]["main_per_distance"] == pytest.approx([24, 50, 20])
    assert found[3]["main_per_clip"] == pytest.approx(
        {"a": (80 + 20 + 10) / 3, "b": (40 / 3 + 80 + 30) / 3, "c": (0 + 50 + 20) / 3}
    )
    assert found[3]["of_class"] == pytest.approx({"x": (24 + 50 + 20) / 3, "y": 25})


def test_a_metric_that_serves_all_distances_is_scored_once():
    task = _Counted()
    metrics = {clip: [_Share(1, 2)] * 4 for clip in "abc"}
    found = positions.scores_by_length(task, metrics, [1, 4], ["x", "y"])
    assert found[4]["main_per_distance"] == [50] * 4
    assert task.asked == 1 + 3  # of all clips together, and of each


class _Single(_Echo):
    """Predicts the frame's own number, whatever came before."""

    uses_history = False

    def answer(self, frame):
        self.seen = [*getattr(self, "seen", []), len(frame.pictures)]
        return frame.pictures[:, 0]


@pytest.mark.parametrize(("batch", "seen"), [(1, [1] * 5), (2, [2, 2, 1]), (9, [5])])
def test_a_predictor_without_history_answers_every_scored_frame_once(batch, seen):
    store = SimpleNamespace(image=lambda frame: torch.full((3, 2, 2), frame.index % 4, dtype=torch.uint8))
    clips = {"a": clip_of(6, labelled=[2, 3, 5])}
    clips["b"] = tuple(replace(frame, clip="b") for frame in clip_of(5, labelled=[3, 4]))
    runs = positions.position_runs(clips, 3, counts=is_labelled)
    predictor, reference = _Single(), lambda frame: torch.full((2, 2), 1, dtype=torch.uint8)
    found = positions.score_positions(
        predictor, Segmentation(4), store, runs, reference, longest=3, batch=batch
    )
    assert predictor.seen == seen
    assert [found["a"][0].counts[1].tolist(), found["b"][0].counts[1].tolist()] == [
        [0, 4, 4, 4],
        [4, 0, 0, 4],
    ]
    assert all(metric is found["a"][0] for metric in found["a"])
    assert [len(metrics) for metrics in found.values()] == [3, 3]


def test_other_scores_and_parts_are_means_over_the_positions_where_they_occur():
    measure = Measure("main", "M", "of_class", "M", also=("more",), parts=("slow",))
    nan = float("nan")
    scores = [
        Scores({"main": 0.5, "more": 0.25, "slow": nan}, (0.5, nan)),
        Scores({"main": 0.7, "more": 0.75, "slow": 0.5}, (0.1, nan)),
        Scores({"main": 0.1, "more": 0.0, "slow": 0.0}, (0.0, 1.0)),
    ]
    found = positions.length_scores(scores, 2, ["x", "y"], measure)
    assert found["main"] == pytest.approx(60)
    assert (found["more"], found["slow"]) == (50, 50)
    assert found["of_class"] == {"x": pytest.approx(30), "y": None}
    assert found["main_per_distance"] == pytest.approx([50, 70])
    scores[1].overall["main"] = nan
    assert positions.length_scores(scores, 2, ["x", "y"], measure)["main"] is None
