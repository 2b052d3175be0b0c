"""Any number of streams, clips and per-frame calls on one network, in one thread and in many."""

import asyncio
import contextvars
import copy
import logging
import pickle
import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks

ORDERS = 150  # with threads, and again without


class Turns:
    """Lets one of several threads run at a time; who goes on is drawn at every step of any of them."""

    def __init__(self, members, seed):
        self._members, self._draw = list(range(members)), random.Random(seed).choice
        self._condition, self._own = threading.Condition(), threading.local()
        self._turn = self._draw(self._members)

    def take_part(self, index, work):
        self._own.index = index
        self._wait()
        try:
            return work()
        finally:
            with self._condition:
                self._members.remove(index)
                self._hand_on()

    def step(self):
        with self._condition:
            self._hand_on()
        self._wait()

    def _hand_on(self):
        self._turn = self._draw(self._members) if self._members else None
        self._condition.notify_all()

    def _wait(self):
        with self._condition:
            assert self._condition.wait_for(lambda: self._turn == self._own.index, timeout=60)


class Step(nn.Module):
    """A place in the network where another thread may go on."""

    turns = None

    def forward(self, x):
        if Step.turns is not None:
            Step.turns.step()
        return x


def delta_network():
    torch.manual_seed(4)
    shared = nn.Conv2d(6, 6, (1, 3), padding=(0, 1))  # runs twice per frame
    inner = nn.Conv2d(4, 6, (3, 1), padding=(1, 0))
    layers = [nn.Conv2d(3, 4, 3), Step(), inner, Step(), shared, nn.Tanh(), Step(), shared, Step()]
    network = nn.Sequential(*layers, nn.Conv2d(6, 2, 1)).eval()
    network = dd.convert(network, dd.LinearStudent(gamma=2, initialisation="random"))
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


def video(seed, count=5, shape=(1, 3, 6, 5)):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


def streaming(network, frames, **options):
    stream = dd.Stream(network, **options)
    for frame in frames:
        yield stream(frame)


def failing(network, frames):
    """A stream that is given a frame with too few channels as its third."""
    stream = dd.Stream(network, period=2)
    for index, frame in enumerate(frames):
        if index == 2:
            with pytest.raises(RuntimeError, match="channels"):
                stream(frame[:, :2])
        yield stream(frame)


def per_frame(network, frames):
    for frame in frames:
        yield torch.no_grad()(network)(frame)


def clip_wise(network, frames, **options):
    for _ in range(2):
        yield torch.no_grad()(dd.forward_clip)(network, frames.transpose(0, 1), **options)


def members(network):
    """Generators that each run the network several times, in ways of their own."""
    return [
        streaming(network, video(0), period=2),
        streaming(network, video(1), period=4),
        streaming(network, video(2, shape=(2, 3, 5, 7)), period=3, relative_to="previous"),
        failing(network, video(3)),
        per_frame(network, video(4)),
        clip_wise(network, video(5, count=3), relative_to="previous"),
    ]


def assert_same(actual, expected):
    for ours, theirs in zip(actual, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a.shape == b.shape
            assert (a - b).abs().max() < 1e-5  # frames differ by a thousand times as much


@pytest.fixture
def network():
    return delta_network()


@pytest.fixture
def alone(network):
    """What every member gives without the others, which differs from frame to frame and from the teacher."""
    outputs = [list(member) for member in members(network)]
    teacher = list(per_frame(network, video(1)))
    assert all((outputs[1][t] - teacher[t]).abs().max() > 0.01 for t in (1, 2, 3))
    return outputs


def test_threads_that_change_within_the_network_give_what_each_gives_alone(network, alone, monkeypatch):
    plain = list(per_frame(network, video(6)))
    with ThreadPoolExecutor(len(alone)) as pool:
        for seed in range(ORDERS):
            turns = Turns(len(alone), seed)
            with monkeypatch.context() as patch:
                patch.setattr(Step, "turns", turns)
                works = [lambda member=member: list(member) for member in members(network)]
                assert_same(pool.map(turns.take_part, range(len(works)), works), alone)
            assert_same([per_frame(network, video(6))], [plain])


def test_threads_that_run_as_they_please_give_what_each_gives_alone(network):
    def work(seed):
        return list(streaming(network, video(seed, count=60), period=3))

    expected, interval = [work(seed) for seed in range(4)], sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert_same(pool.map(work, range(4)), expected)
    finally:
        sys.setswitchinterval(interval)


def test_streams_that_take_turns_in_one_thread_give_what_each_gives_alone(network, alone):
    for seed in range(ORDERS):
        draw, running = random.Random(seed).choice, dict(enumerate(members(network)))
        outputs = [[] for _ in running]
        while running:
            index = draw(list(running))
            try:
                outputs[index].append(next(running[index]))
            except StopIteration:
                del running[index]
        assert_same(outputs, alone)


def test_tasks_of_an_event_loop_and_its_threads_give_what_each_gives_alone(network, alone):
    async def run(member, place):
        outputs = []
        while (output := await place(next, member, None)) is not None:
            outputs.append(output)
        return outputs

    async def here(function, *arguments):
        await asyncio.sleep(0)
        return function(*arguments)

    async def everything():
        places = [here, asyncio.to_thread] * len(alone)
        return await asyncio.gather(*map(run, members(network), places))

    assert_same(asyncio.run(everything()), alone)


def test_a_stream_may_run_within_another(network):
    """On the same network and on another: each with its own state, and the outer goes on afterwards."""
    other = delta_network()
    for inside in (network, other):
        inner, inner_outputs = dd.Stream(inside, period=4), []

        def run(outer, frame, inner=inner, outputs=inner_outputs):
            outputs.append(inner(frame.flip(-1)))
            return outer(frame)

        assert_same(
            [streaming(network, video(1), period=3, run=run)], [streaming(network, video(1), period=3)]
        )
        assert_same([inner_outputs], [streaming(inside, video(1).flip(-1), period=4)])


def test_copies_and_pickles_made_during_a_stream_have_no_part_in_it(network):
    copies = []

    def run(outer, frame):
        copies.extend([copy.deepcopy(outer), pickle.loads(pickle.dumps(outer))])
        return torch.stack([twin(frame) for twin in copies[-2:]])

    frames = video(1)
    for output, teacher in zip(
        streaming(network, frames, period=3, run=run), per_frame(network, frames), strict=True
    ):
        torch.testing.assert_close(output, teacher.expand(2, *teacher.shape))


def test_a_copied_stream_goes_on_by_itself(network):
    frames, stream = video(1), dd.Stream(network, period=4)
    expected = list(streaming(network, frames, period=4))
    for frame in frames[:2]:
        stream(frame)
    twins = [copy.deepcopy(stream), pickle.loads(pickle.dumps(stream)), stream]
    for t in (2, 3, 4):
        for twin in twins:
            torch.testing.assert_close(twin(frames[t]), expected[t])
            assert twin.is_key_frame == (t == 4)


def test_one_stream_takes_one_frame_at_a_time(network):
    def run(outer, frame):
        for use in (lambda: stream(frame), stream.reset):
            with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="one Stream per video"):
                pool.submit(use).result()
            with pytest.raises(RuntimeError, match="one Stream per video"):
                use()
        return outer(frame)

    stream = dd.Stream(network, period=3, run=run)
    assert_same([map(stream, video(1))], [streaming(network, video(1), period=3)])


def test_students_learn_in_one_thread_while_a_copy_streams_in_another(network, monkeypatch):
    """Weights must not change under a stream, but sessions do not meet."""
    clips, twin = video(7, shape=(3, 3, 6, 5)), copy.deepcopy(network)
    alone = copy.deepcopy(network)
    options = {"steps": 3, "progress": False}
    losses, outputs = dd.distill(alone, clips, **options), list(streaming(twin, video(1), period=3))
    turns = Turns(2, seed=0)
    monkeypatch.setattr(Step, "turns", turns)
    works = [
        lambda: dd.distill(network, clips, **options),
        lambda: list(streaming(twin, video(1), period=3)),
    ]
    with ThreadPoolExecutor(2) as pool:
        losses_beside, outputs_beside = pool.map(turns.take_part, range(2), works)
    assert losses_beside == pytest.approx(losses, rel=1e-4)
    assert_same([outputs_beside], [outputs])


class InThreads(nn.Module):
    """Runs a part of itself, or all, in a thread of its own."""

    def __init__(self, *, everything=False, carried=False):
        super().__init__()
        self.here, self.there = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))
        self.everything, self.carried = everything, carried

    def forward(self, x):
        x = self._in_thread(self.here, x) if self.everything else self.here(x)
        return self._in_thread(self.there, x)

    def _in_thread(self, function, *arguments):
        if self.carried:
            function, arguments = contextvars.copy_context().run, (function, *arguments)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.no_grad()(function), *arguments).result()


def threaded(**options):
    torch.manual_seed(2)
    students = dd.LinearStudent(gamma=2, initialisation="random")
    network = dd.convert(InThreads(**options).eval(), students, dd.all_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


def test_a_network_that_runs_in_another_thread_is_refused_with_the_way_out():
    """Its blocks would run per frame, as those of DataParallel's replicas."""
    network = threaded(everything=True)
    for use in (
        lambda: dd.Stream(network, period=2)(video(1)[0]),
        lambda: dd.forward_clip(network, video(1).transpose(0, 1)),
    ):
        with pytest.raises(RuntimeError, match=r"'here', 'there'.*copy_context"):
            use()
    torch.testing.assert_close(network(video(1)[0]), threaded()(video(1)[0]))


def test_blocks_in_threads_of_a_network_are_named_once(caplog):
    network = threaded()
    for _ in range(2):
        list(streaming(network, video(1), period=3))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "['there'] ran per frame in a thread without its session" in record.message


def test_threads_of_a_network_that_carry_the_context_are_part_of_the_stream(caplog):
    carried, plain = threaded(everything=True, carried=True), threaded()
    plain.forward = lambda x: plain.there(plain.here(x))
    assert_same([streaming(carried, video(1), period=3)], [streaming(plain, video(1), period=3)])
    assert not caplog.records
