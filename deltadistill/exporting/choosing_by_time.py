"""Candidates chosen by milliseconds, without a search: each block takes what costs less."""

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from torch import nn
from tqdm import tqdm

from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.function_times import timed
from deltadistill.exporting.layer_times import FunctionTimes, LayerTimes, Setting, require_length
from deltadistill.exporting.measuring import opened
from deltadistill.exporting.running import Loaded, load
from deltadistill.exporting.state_budget import leave_out

_log = logging.getLogger(__name__)

_SHARE = 8  # of the blocks that are compressed, one in so many is given back at a time
_TRIAL_SECONDS = 4.0


@dataclass(frozen=True)
class TimeChoice:
    """What `choose_by_time` decided.

    compressed: names of the blocks that are; all others run their uncompressed candidate. given_back: those
    that the times of layers had for compressed, and the time of the whole had not.
    times: of the network as chosen, measured as a whole; None where nothing was measured.
    length: of the sequences that it was chosen for.
    left_out: those that gain, but whose maps do not fit into the memory that was given; for_memory: what
    they would have gained by the times of layers, milliseconds a frame. state_bytes: memory of the maps
    that are left; None where neither a budget was given nor the whole measured.
    """

    compressed: tuple[str, ...]
    given_back: tuple[str, ...]
    times: FunctionTimes | None
    length: int
    left_out: tuple[str, ...] = ()
    for_memory: float = 0.0
    state_bytes: int | None = None

    @property
    def speedup(self) -> float | None:
        """How many times as fast as the per-frame network a sequence runs in this engine."""
        return None if self.times is None else self.times.frame / self.times.per_frame(self.length)

    def __str__(self) -> str:
        said = f"{len(self.compressed)} blocks compressed"
        if self.given_back:
            said += f", {len(self.given_back)} given back"
        if self.left_out:
            said += f", {len(self.left_out)} left out for their memory ({self.for_memory:.2f} ms a frame)"
        kept = "" if self.state_bytes is None else f"; {self.state_bytes / 1e6:.1f} MB a stream"
        if self.times is None:
            return said + kept
        frame, key, delta = (f"{getattr(self.times, name):.2f}" for name in ("frame", "key", "delta"))
        said += f": frame {frame}, key {key}, delta {delta} ms; ×{self.speedup:.2f} at T = {self.length}"
        return said + kept


def choose_by_time(
    network: nn.Module,
    times: LayerTimes,
    *,
    length: int | None = None,
    check: bool = True,
    seconds: float = 60.0,
    state_mb: float | None = None,
    progress: bool = True,
) -> TimeChoice:
    """Decide every block of a network by the milliseconds that its candidates cost, in place.

    A block whose students gain nothing takes the uncompressed candidate; where that still has its teacher's
    kernel, runners compute the teacher on every frame and keep no map for it. One that was trained keeps its
    map, and is counted with it, as `times` were measured.

    times: from `measure_layers` on this network. length: of the sequences to choose for; None: that of times.
    check: measure the network as chosen, then give back the blocks that gain least, a few at a time, as long
        as the whole gets faster: layers do not depend on themselves alone. For about so many `seconds`.
    state_mb: what the maps of one stream may take, millions of bytes, as they are described (fp32): blocks
        that gain least for their memory stay uncompressed.
    progress: whether the check shows a bar.
    Raises ValueError for times of other blocks, and for a state that no choice of blocks reaches.
    """
    length = times.length if length is None else length
    require_length(length)
    costs = times.table_at(length)
    _require_the_same_blocks(network, costs.blocks)
    blocks = delta_blocks(network)
    for name, (uncompressed, compressed) in costs.blocks.items():
        blocks[name].decide(COMPRESSED if compressed < uncompressed else UNCOMPRESSED)
    gains = {name: pair[0] - pair[1] for name, pair in costs.blocks.items() if pair[1] < pair[0]}
    choice = TimeChoice(_compressed(network, gains), (), None, length)
    if state_mb is not None:
        out, kept = leave_out(network, times, gains, most_bytes=state_mb * 1e6)
        lost = sum(gains[name] for name in out) * (length - 1) / length
        choice = TimeChoice(_compressed(network, gains), (), None, length, tuple(out), lost, kept)
    return _checked(network, choice, gains, times.setting, seconds, progress) if check else choice


def _checked(
    network: nn.Module,
    choice: TimeChoice,
    gains: Mapping[str, float],
    setting: Setting,
    seconds: float,
    progress: bool,
) -> TimeChoice:
    """The choice after blocks were given back that the whole is faster without."""
    worst_first = sorted(choice.compressed, key=lambda name: gains[name])
    with _Trials(network, setting, choice.length) as trials:
        back = _give_back(trials, worst_first, seconds=seconds, progress=progress)
        choice = replace(
            choice,
            compressed=_compressed(network, gains),
            given_back=tuple(back),
            times=trials.times(),
            state_bytes=trials.state_bytes(),
        )
    if choice.speedup is not None and choice.speedup <= 1:
        _log.warning("by the whole, delta frames save no time in %s: %s", setting.engine, choice)
    return choice


def _require_the_same_blocks(network: nn.Module, costs: Mapping[str, object]) -> None:
    choosing = {name for name, block in delta_blocks(network).items() if block.candidates}
    if choosing != set(costs):
        raise ValueError(
            f"the times are of other blocks: without times {sorted(choosing - set(costs))[:3]}, not in the "
            f"network {sorted(set(costs) - choosing)[:3]}; measure this network's with measure_layers"
        )


def _compressed(network: nn.Module, names: Mapping[str, object]) -> tuple[str, ...]:
    blocks = delta_blocks(network)
    return tuple(name for name in names if blocks[name].choice == COMPRESSED)


def _give_back(trials: "_Trials", worst_first: list[str], *, seconds: float, progress: bool) -> list[str]:
    """Give blocks back while the whole gets faster by it; return their names."""
    end = time.perf_counter() + seconds
    few = max(1, len(worst_first) // _SHARE)
    back: list[str] = []
    with tqdm(total=len(worst_first), desc="blocks given back", disable=not progress) as bar:
        while len(back) < len(worst_first) and time.perf_counter() < end:
            names = worst_first[len(back) : len(back) + few]
            if not trials.is_faster_without(names):
                break
            back += names
            bar.update(len(names))
    return back


class _Trials:
    """The network as it is now, ready in the engine, against the network with fewer blocks compressed."""

    def __init__(self, network: nn.Module, setting: Setting, length: int):
        self._network, self._setting, self._length = network, setting, length
        self._present = self._ready()
        self._times: FunctionTimes | None = None

    def __enter__(self) -> "_Trials":
        return self

    def __exit__(self, *error: object) -> None:
        self._present.__exit__(*error)

    def state_bytes(self) -> int:
        """Memory of a stream's maps, bytes."""
        return self._present.graphs.state_bytes

    def times(self) -> FunctionTimes:
        """The times of the network as it is now."""
        if self._times is None:
            self._times = self._timed({"present": self._present})["present"]
        return self._times

    def is_faster_without(self, names: list[str]) -> bool:
        """Whether it gets faster by leaving these uncompressed; they are then, or all is as it was."""
        self._decide(names, UNCOMPRESSED)
        with ExitStack() as unwanted:
            trial = unwanted.enter_context(self._ready())
            found = self._timed({"present": self._present, "trial": trial})
            faster = found["trial"].per_frame(self._length) < found["present"].per_frame(self._length)
            self._times = found["trial" if faster else "present"]
            if faster:
                unwanted.pop_all()
                unwanted.enter_context(self._present)
                self._present = trial
        if not faster:
            self._decide(names, COMPRESSED)
        return faster

    def _decide(self, names: list[str], candidate: str) -> None:
        blocks = delta_blocks(self._network)
        for name in names:
            blocks[name].decide(candidate)

    def _ready(self) -> Loaded:
        given = {"run": self._setting.run, "pictures": self._setting.pictures}
        return load(self._network, self._setting.example, **given)

    def _timed(self, loaded: dict[str, Loaded]) -> dict[str, FunctionTimes]:
        sessions = {name: (opened(each.graphs, self._setting), each.graphs) for name, each in loaded.items()}
        return timed(sessions, seconds=_TRIAL_SECONDS)[0]
