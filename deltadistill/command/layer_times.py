"""The time of each layer of a network as PyTorch runs it, one after another."""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import torch
from torch import nn

_SECONDS = 1.0  # to spend on rounds
_MOST = 20  # rounds

Call = Callable[[], object]


@dataclass
class LayerTimes:
    """Medians over rounds: `layers` milliseconds by name, summed over the calls of one frame, and `frame`.

    The clock adds some microseconds to each layer. What is not in a layer (sums, copies, functions) is in
    `frame` alone.
    """

    layers: dict[str, float] = field(default_factory=dict)
    frame: float = 0.0
    rounds: int = 0


@torch.inference_mode()
def layer_times(
    network: nn.Module,
    run: Call,
    *,
    device: torch.device,
    around_first: Callable[[Call], object] = lambda call: call(),
    now: Callable[[], float] = time.perf_counter,
) -> LayerTimes:
    """Run the network again and again for some seconds, and time its layers: modules that hold no others.

    No round begins after these seconds, and one is made in any case: a frame may take longer than that.
    around_first: calls the first round, and may look at it while it runs; where there are others, they count.
    """
    clock = _Clock(device, now)
    frames: list[float] = []
    rounds: list[dict[str, float]] = []
    started = now()

    def one_round() -> None:
        clock.spent = {}
        before = clock.now()
        run()
        frames.append((clock.now() - before) * 1e3)
        rounds.append(clock.spent)

    with ExitStack() as hooks:
        for name, module in network.named_modules():
            if not list(module.children()):
                clock.watch(name, module, hooks)
        around_first(one_round)
        while len(frames) < _MOST and now() - started < _SECONDS:
            one_round()
    if len(frames) > 1:  # the first one also makes room and chooses kernels
        frames, rounds = frames[1:], rounds[1:]
    names = dict.fromkeys(name for spent in rounds for name in spent)
    layers = {name: statistics.median(spent.get(name, 0.0) for spent in rounds) for name in names}
    return LayerTimes(layers, statistics.median(frames), len(frames))


class _Clock:
    """Starts before a module runs and stops behind it."""

    def __init__(self, device: torch.device, now: Callable[[], float]):
        self._device = device
        self._now = now
        self._begun: dict[str, float] = {}
        self.spent: dict[str, float] = {}

    def now(self) -> float:
        """Seconds; on a GPU when everything before is done."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return self._now()

    def watch(self, name: str, module: nn.Module, hooks: ExitStack) -> None:
        """Time a module until `hooks` ends."""

        def begin(*_: object) -> None:
            self._begun[name] = self.now()

        def end(*_: object) -> None:
            self.spent[name] = self.spent.get(name, 0.0) + (self.now() - self._begun[name]) * 1e3

        hooks.callback(module.register_forward_pre_hook(begin).remove)
        hooks.callback(module.register_forward_hook(end).remove)
