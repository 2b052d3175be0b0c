"""Counting over batches: every batch once, whatever interrupts it; what was counted is kept."""

import math
import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from deltadistill.data.boxes import Detections, Objects
from deltadistill.evaluation.agreement_of_boxes import BoxConsistency
from deltadistill.evaluation.agreement_of_labels import Consistency
from deltadistill.evaluation.counting import Counting, _Run, batch_bar, count_batches
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.processes.group import Group
from deltadistill.processes.kept_counts import Parts
from deltadistill.tasks.detection_metric import DetectionMetric, Wanted

BATCHES = [[0, 1], [1, 1, 1], [0], [2, 2], [1, 0]]


class Tally:
    """Counts how often it met each number, and notes the batches that it counted."""

    def __init__(self):
        self.counts = {}

    def update(self, number):
        self.counts[number] = self.counts.get(number, 0) + 1

    def state(self):
        return dict(self.counts) or None

    def add(self, state):
        for number, times in state.items():
            self.counts[number] = self.counts.get(number, 0) + times


def run(parts=None, *, at=lambda batch: None, progress=lambda turns, done: turns):
    """Count all batches; `at` is called with every batch that is counted."""

    def count(tallies, batch):
        for number in batch:
            tallies["of all"][0].update(number)
        at(batch)

    found = count_batches(BATCHES, lambda: {"of all": [Tally()]}, count, Counting(parts, progress))
    return found["of all"][0].counts


WHOLE = {0: 3, 1: 5, 2: 2}


def test_every_batch_is_counted_once():
    assert run() == WHOLE


@pytest.mark.parametrize("stop", BATCHES)
@pytest.mark.parametrize(
    ("number", "ends"),
    [
        (signal.SIGTERM, SystemExit(143)),
        (signal.SIGUSR1, SystemExit(138)),
        (signal.SIGINT, KeyboardInterrupt()),
    ],
)
def test_a_signal_keeps_what_was_counted_and_the_next_run_counts_the_rest(
    stop, number, ends, tmp_path, caplog
):
    seen, again = [], []

    def interrupt(batch):
        seen.append(batch)
        if batch is stop:
            signal.raise_signal(number)

    with pytest.raises(type(ends)) as caught:
        run(Parts(tmp_path, minutes=60), at=interrupt)
    assert caught.value.args == ends.args
    assert f"{number.name} after {len(seen)} batches" in caplog.text
    assert run(Parts(tmp_path, minutes=60), at=again.append) == WHOLE
    assert seen + again == BATCHES


def test_one_interrupted_at_every_batch_comes_to_the_same_counts(tmp_path):
    for _ in BATCHES:
        with pytest.raises(SystemExit):
            run(Parts(tmp_path, minutes=60), at=lambda _: signal.raise_signal(signal.SIGTERM))
    assert run(Parts(tmp_path, minutes=60), at=pytest.fail) == WHOLE


class _KilledError(Exception):
    pass


def killed_at(batch):
    def kill(counted):
        if counted is batch:
            raise _KilledError

    return kill


def test_a_killed_one_loses_no_more_than_the_minutes_and_a_batch(tmp_path):
    with pytest.raises(_KilledError):
        run(Parts(tmp_path, minutes=0), at=killed_at(BATCHES[3]))
    again = []
    assert run(Parts(tmp_path, minutes=0), at=again.append) == WHOLE
    assert again == BATCHES[3:]


def test_without_minutes_gone_by_nothing_is_written(tmp_path):
    with pytest.raises(_KilledError):
        run(Parts(tmp_path, minutes=60), at=killed_at(BATCHES[3]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda content: content[:-200], lambda content: b""])
def test_of_a_damaged_part_the_batches_are_counted_again(damage, tmp_path, caplog):
    with pytest.raises(_KilledError):
        run(Parts(tmp_path, minutes=0), at=killed_at(BATCHES[3]))
    damaged = tmp_path / "batch000001.pt"
    damaged.write_bytes(damage(damaged.read_bytes()))
    again = []
    assert run(Parts(tmp_path, minutes=0), at=again.append) == WHOLE
    assert again == [BATCHES[1], *BATCHES[3:]]
    assert f"{damaged} cannot be read" in caplog.text
    assert run(Parts(tmp_path, minutes=0), at=pytest.fail) == WHOLE


def test_a_full_disk_ends_no_evaluation(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    assert run(Parts(tmp_path, minutes=0)) == WHOLE
    assert "what it counted so far is not kept" in caplog.text
    assert "cannot be written: No space left on device" in caplog.text


def test_what_a_full_disk_did_not_take_is_counted_again(tmp_path, monkeypatch):
    def fill(batch):
        if batch is BATCHES[1]:
            monkeypatch.setattr(Parts, "save", lambda *_: None)
        if batch is BATCHES[2]:
            monkeypatch.undo()
        killed_at(BATCHES[4])(batch)

    with pytest.raises(_KilledError):
        run(Parts(tmp_path, minutes=0), at=fill)
    again = []
    assert run(Parts(tmp_path, minutes=0), at=again.append) == WHOLE
    assert again == [BATCHES[1], BATCHES[4]]


def test_progress_begins_where_it_was(tmp_path):
    with pytest.raises(_KilledError):
        run(Parts(tmp_path, minutes=0), at=killed_at(BATCHES[3]))
    told = []

    def progress(turns, done):
        told.append((len(turns), done))
        return turns

    run(Parts(tmp_path, minutes=0), progress=progress)
    assert told == [(2, 3)]


class _OfThreads(Group):
    """Stands for one of several processes; its calls wait for those of the others."""

    held, barrier = {}, None

    def all_of(self, value):
        self.held[self.rank] = value
        self.barrier.wait()
        found = [self.held[rank] for rank in range(self.size)]
        self.barrier.wait()
        return found

    def largest(self, number):
        return max(self.all_of(number))

    def of_first(self, value):
        return self.all_of(value)[0]


def count_in_threads(monkeypatch, folder, at=lambda rank, batch: None):
    """Count all batches as two processes would; what each counted, and was told of progress."""
    monkeypatch.setattr(_OfThreads, "barrier", Barrier(2, timeout=60))

    def as_one(rank):
        told, parts = [], Parts(folder / str(rank), minutes=0)

        def count(tallies, batch):
            at(rank, batch)
            for number in batch:
                tallies[0].update(number)

        counting = _Run(lambda: [Tally()], count, parts, _OfThreads(rank, 2))
        quiet = SimpleNamespace(agree=lambda: None)
        counting.run(BATCHES, quiet, lambda turns, done: told.append((len(turns), done)) or turns)
        return counting.counted[0].counts, told

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(as_one, range(2), timeout=60))


def test_of_several_processes_each_batch_is_counted_by_one_and_the_first_writes(monkeypatch, tmp_path):
    (first, told), (second, told_too) = count_in_threads(monkeypatch, tmp_path)
    assert {number: first.get(number, 0) + second.get(number, 0) for number in WHOLE} == WHOLE
    assert first == {0: 3, 1: 2}  # batches 0, 2 and 4
    assert told == told_too == [(3, 0)]
    assert list(tmp_path.iterdir()) == [tmp_path / "0"]
    kept = [sorted(part["batches"]) for part in Parts(tmp_path / "0", minutes=0).load()]
    assert kept == [[0, 1], [2, 3], [4]]


def test_several_processes_go_on_from_what_the_first_has_kept(monkeypatch, tmp_path):
    for number in (0, 1, 3):
        tally = Tally()
        for entry in BATCHES[number]:
            tally.update(entry)
        Parts(tmp_path / "0", minutes=0).save([number], [{0: tally.state()}])
    seen = []
    (first, told), (second, _) = count_in_threads(
        monkeypatch, tmp_path, at=lambda rank, batch: seen.append((rank, batch))
    )
    assert sorted(seen) == [(0, BATCHES[2]), (1, BATCHES[4])]
    assert told == [(1, 1)]  # three batches were done, which is one turn of two and half of another
    assert {number: first.get(number, 0) + second.get(number, 0) for number in WHOLE} == WHOLE


def test_the_bar_begins_where_it_was_and_is_of_the_first_process_alone(capsys):
    for is_first in (True, False):
        bar = batch_bar("scores", SimpleNamespace(is_first=is_first))(["a", "b", "c"], 2)
        assert list(bar) == ["a", "b", "c"]
        assert ("scores" in capsys.readouterr().err) == is_first
        if is_first:
            assert (bar.initial, bar.total, bar.n) == (2, 5, 5)


def confusion():
    matrix = ConfusionMatrix(2)
    matrix.update(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    return matrix, lambda found: found.counts.tolist(), ConfusionMatrix(2)


def warped():
    meter = Consistency(2)
    meter.update(torch.tensor([[[0, 255]]]).to(torch.uint8), torch.tensor([[[0, 1]]]).to(torch.uint8))
    return meter, lambda found: (found.percent(), found.coverage_percent()), Consistency(2)


def carried():
    meter = BoxConsistency(min_score=0.5)
    frame = Detections([[0, 0, 10, 10]], [0.9], [0]), Objects([[0, 0, 10, 9]], [0], [4])
    moved = Detections([[0, 0, 10, 10]], [0.9], [0]), Objects([[1, 0, 11, 9]], [0], [4])
    meter.update(frame, moved)
    return meter, lambda found: (found.percent(), found.coverage_percent()), BoxConsistency(min_score=0.5)


def detected():
    metric = DetectionMetric()
    box = np.array([[0, 0, 10, 10]])
    crowd = Objects(np.tile(box, (2, 1)), [0, 1], [3, 4], crowd=[False, True])
    metric.update(Detections(box, [0.5], [1]), Wanted(crowd, np.array([0.9, math.nan]), ("a", 3)))
    metric.update(Detections(), Wanted(Objects(np.zeros((0, 4)), []), np.zeros(0), ("b", 0)))
    return metric, lambda found: [as_text(frame) for frame in found.frames], DetectionMetric()


def as_text(frame):
    found, wanted = frame
    return str([vars(found), vars(wanted.objects), wanted.motion, wanted.place])


@pytest.mark.parametrize("make", [confusion, warped, carried, detected])
def test_counters_come_back_from_parts_as_they_were(make, tmp_path):
    counter, told, other = make()
    assert other.state() is None
    Parts(tmp_path, minutes=0).save([4, 2], [{0: counter.state()}])
    (part,) = Parts(tmp_path, minutes=0).load()
    assert part["batches"] == [4, 2]
    other.add(part["counted"][0][0])
    assert told(other) == told(counter)


def test_agreements_of_boxes_add_up_to_the_same_bits_in_every_order():
    """Three agreements whose sum depends on the order where each sum is rounded."""
    still = Objects([[0, 0, 10, 10]], [0], [7])
    before = Detections([[0, 0, 10, 10]], [0.9], [0])
    meters = []
    for right in (6, 7, 8):
        meter = BoxConsistency(min_score=0.5)
        meter.update((before, still), (Detections([[0, 0, right, 10]], [0.9], [0]), still))
        meters.append(meter)
    assert (0.6 + 0.7) + 0.8 != (0.8 + 0.7) + 0.6
    sums = set()
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        together = BoxConsistency(min_score=0.5)
        for place in order:
            together.add(meters[place].state())
        sums.add(together.percent())
    assert len(sums) == 1
    assert sums.pop() == pytest.approx(100 * (0.6 + 0.7 + 0.8) / 3)
