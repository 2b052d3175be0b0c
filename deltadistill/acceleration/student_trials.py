"""Students that answer every frame by themselves: a narrower per-frame network, no key frames and no state.

They learn features (Eq. 1) where those between key frames learn changes (Eq. 2), and are exported as the
plain network that they are. It is as fast on every frame, so that its trial has the period 1.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from deltadistill.acceleration.baseline import Baseline
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.judging import Judge
from deltadistill.acceleration.memory_bound import beyond
from deltadistill.acceleration.sessions import NoEngineError, open_sessions
from deltadistill.acceleration.timing import Calls, way_times
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import PerFrame
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.conversion.replacing import replace_modules
from deltadistill.exporting.running import Loaded
from deltadistill.forward.modes import copy_with_modes
from deltadistill.runtime.between import DELTA

KIND = "students"
_TABLES = ("fidelities", "kept", "lower", "scores")


@torch.no_grad()
def alone(network: nn.Module) -> nn.Module:
    """The plain network that a network with students of features is on the frames behind its key frames.

    network: its blocks decided, their students' last layers without a bias: their teachers' goes there.
    """
    copy = copy_with_modes(network)
    blocks = list(delta_blocks(copy).values())
    return replace_modules(
        copy, {id(block): _with_bias(getattr(block, block.choice), block) for block in blocks}
    )


def _with_bias(student: nn.Module, block: nn.Module) -> nn.Module:
    last = [layer for layer in student.modules() if not list(layer.children())][-1]
    assert last.bias is None, "a student of features adds its teacher's bias itself"
    if block.teacher.bias is not None:
        last.bias = nn.Parameter(block.teacher.bias.detach().clone())
    return student


def alone_trial(judge: Judge, loaded: Loaded, trial: Trial, others: Sequence[Trial]) -> Trial:
    """The trial, timed and judged; what saves no time, or needs too much memory, is not judged.

    loaded: the students' plain network.
    """
    if ended := beyond(judge.case, trial.memory_mib):
        return replace(trial, ended=ended)
    budget = judge.budget
    seconds = {"seconds": budget.for_times(), "opening_seconds": budget.for_an_opening()}
    try:
        trial, way = _timed(judge.case, judge.base, loaded, trial, **seconds)
    except NoEngineError as error:
        return replace(trial, ended=str(error))
    if trial.speedups[1] <= judge.base.factor:
        return replace(trial, ended="no faster than the fastest per-frame run")
    return _judged(judge, way, trial, others)


def _timed(
    case: Case, base: Baseline, loaded: Loaded, trial: Trial, *, seconds: float, opening_seconds: float
) -> tuple[Trial, PerFrame]:
    """The trial with times in the engine where it is fastest, and the way that answers frames."""
    precisions = list(dict.fromkeys(("fp32", base.fastest[1])))
    opened = open_sessions(case, loaded, precisions, functions=("frame",), seconds=opening_seconds)
    structure, frames = loaded.functions.structure, case.some_frames()
    ways = {name: PerFrame(case, session, structure) for name, session in opened.sessions.items()}
    calls = {name: Calls(partial(way.computed, frames[0])) for name, way in ways.items()}
    times = way_times(partial(base.answers.computed, frames[0]), calls, seconds=seconds)
    speedups = {name: times.speedups(name, (1,), between=DELTA) for name in ways}
    best = max(ways, key=lambda name: speedups[name][1])
    parts = {part: value for part, value in times.parts_ms(best).items() if part in ("frame", "key")}
    found = {"speedups": speedups[best], "parts_ms": parts}
    return replace(trial, engine=best[0], precision=best[1], **found), ways[best]


def _judged(judge: Judge, way: PerFrame, trial: Trial, others: Sequence[Trial]) -> Trial:
    """The trial with its fidelity: the mean over whole sequences, as no frame is nearer to a key frame."""
    speedup, longest = trial.speedups[1], judge.case.longest
    every = replace(trial, speedups=dict.fromkeys(judge.case.periods, speedup))
    found = judge.judged(way, every, others, prunes=True)
    tables = {name: getattr(found, name) for name in _TABLES}
    of_all = {name: {1: table[longest]} for name, table in tables.items() if longest in table}
    return replace(found, speedups={1: speedup}, **{name: of_all.get(name, {}) for name in _TABLES})
