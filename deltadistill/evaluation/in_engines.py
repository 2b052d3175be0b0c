"""Predictors whose networks are run by an engine, so that variants are timed there as they are evaluated."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.account.cost import FrameCosts
from deltadistill.blocks.moved_rule import MovedDeltaRule
from deltadistill.exporting.moved_maps import movable_maps
from deltadistill.exporting.running import Loaded, Running, load
from deltadistill.forward.outputs import frame_outputs
from deltadistill.motion.cells import CellMotion
from deltadistill.motion.dis import Preset
from deltadistill.predictors import predictor as predictors
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.moved_between import MovedBetween
from deltadistill.predictors.moved_stream import MovedStream
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.predictors.registry import PREDICTORS
from deltadistill.predictors.streamed import Streamed
from deltadistill.runtime.engine import Maps
from deltadistill.tasks.task import Predictions, Task, on_processor

Moved = Callable[[Loaded], frozenset[str]]


class Exported:
    """A network's graphs for frames of each shape; written when first asked for, removed at exit."""

    def __init__(self, network: nn.Module):
        self.network = network
        self._loaded: dict[torch.Size, Loaded] = {}
        self._failed: dict[torch.Size, Exception] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Exported":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def loaded(self, example: Tensor) -> Loaded:
        """The graphs for frames like `example`, (N, C, H, W); ValueError for what cannot be exported."""
        shape = example.shape
        if shape in self._failed:
            raise self._failed[shape]  # without trying for as long again
        if shape not in self._loaded:
            try:
                made = load(self.network, example, run=frame_outputs)
            except Exception as error:
                self._failed[shape] = error
                raise
            self._loaded[shape] = self._stack.enter_context(made)
        return self._loaded[shape]


class EngineNetwork(nn.Module):
    """Stands in a predictor for a network that an engine runs: every frame in full, of any shape.

    The network's weights and blocks are not to be seen here: a predictor that looks for them fails instead of
    running the network past the engine.
    """

    def __init__(self, exported: Exported, engine: str, *, threads: int, precision: str):
        super().__init__()
        self.exported = exported
        self._engine = engine
        self._settings: dict[str, Any] = {"threads": threads, "precision": precision}
        self._running: dict[torch.Size, Running] = {}

    def forward(self, frames: Tensor) -> Any:
        """Outputs of frames (N, C, H, W), in the form in which the network returns them."""
        return self.running(frames).frame(frames)

    def running(self, frames: Tensor, *, moved: Moved | None = None) -> Running:
        """The network made ready for frames of this shape; moved: the maps that are to be moved, if any."""
        if frames.shape not in self._running:
            loaded = self.exported.loaded(frames)
            settings = self._settings if moved is None else {**self._settings, "moved": moved(loaded)}
            self._running[frames.shape] = loaded.running(self._engine, **settings)
        return self._running[frames.shape]

    def state_bytes(self, frames: Tensor) -> int:
        """Memory of the maps of a key frame of this shape."""
        return self.exported.loaded(frames).functions.state_bytes


class EngineStream(Predictor):
    """The streamed predictor with key and delta frames run by an engine."""

    has_delta_frames = True

    def __init__(self, network: EngineNetwork, task: Task):
        self._network = network
        self._task = task
        self._maps: Maps | None = None

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule = stream.schedule

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        running = self._running(frame.normalised)
        self.is_key_frame = self._schedule.is_due(frame.pictures)
        self._see(frame)
        if self.is_key_frame:
            output, self._maps = running.key(frame.normalised, into=self._maps)
            self.state_bytes = self._network.state_bytes(frame.normalised)
        else:
            output = self._later(running, frame.normalised)
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        return on_processor(self._task.predict(output, network=self._network))

    def _see(self, frame: FrameBatch) -> None:
        """Take notice of the frame, before it is answered."""

    def _running(self, frames: Tensor) -> Running:
        return self._network.running(frames)

    def _later(self, running: Running, frames: Tensor) -> Any:
        return running.delta(frames, self._maps)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Those of the delta network."""
        return networks[MAIN]


class EngineMovedStream(EngineStream):
    """As MovedStream, with its options; the engine moves the maps in its own memory.

    The first frame raises ValueError where it cannot.
    """

    def __init__(
        self,
        network: EngineNetwork,
        task: Any,
        *,
        motion: str = "flow",
        preset: Preset = "fast",
        longest: int = 320,
        coarsest: float | None = None,
        least: float = 0.0,
    ):
        super().__init__(network, task)
        self._motions = Motions(motion, preset=preset, longest=longest)
        self._rule = MovedDeltaRule(float("inf") if coarsest is None else coarsest)
        self._least = least

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        super().begin(stream)
        self._flow = torch.empty(1, 2, *self._motions.flow_size(stream.size))
        self._motions.begin(stream.streams)

    def pass_over(self, frame: FrameBatch) -> None:
        """See `Predictor`."""
        self._motions.see(frame, is_key=False)

    def _see(self, frame: FrameBatch) -> None:
        self._motions.see(frame, is_key=self.is_key_frame)

    def _running(self, frames: Tensor) -> Running:
        return self._network.running(frames, moved=self._moved)

    def _moved(self, loaded: Loaded) -> frozenset[str]:
        return movable_maps(loaded.functions, loaded.graphs.joined, self._rule, self._flow)

    def _later(self, running: Running, frames: Tensor) -> Any:
        flows = [each.back() for each in self._motions]
        return running.delta(frames, self._maps, [CellMotion(flow, least=self._least) for flow in flows])


class _OfNetwork:
    """A task that makes predictions by what the exported network knows, its anchors for instance."""

    def __init__(self, task: Any):
        self._task = task

    def predict(self, output: Any, *, network: EngineNetwork) -> Predictions:
        return self._task.predict(output, network=network.exported.network)


def build(
    predict: str,
    network: EngineNetwork,
    task: Any,
    *,
    networks: Mapping[str, EngineNetwork] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Predictor:
    """Make the predictor `predict` of predictors.predictor.build with its networks run by an engine.

    The streamed predictor and the moved stream have key and delta graphs, also with moved answers between
    their frames; any other is given the network as one that runs every frame in full. ValueError for one that
    changes its network while it answers, and for one that computes inside it: no engine would see that.
    """
    kind = PREDICTORS.find(predict)
    if getattr(kind, "learns", False):
        raise ValueError(f"predictor {predict!r} changes its network while it answers, which no engine sees")
    of = _OfNetwork(task)
    if kind is MovedStream:
        return EngineMovedStream(network, of, **(options or {}))
    if getattr(kind, "computes_inside", False):
        raise ValueError(
            f"predictor {predict!r} computes with modules inside its network, and engines run whole graphs; "
            "it is timed in eager PyTorch alone"
        )
    if kind is Streamed:
        return EngineStream(network, of)
    if kind is MovedBetween:
        moving = dict(options or {})
        inner, of_inner = moving.pop("predict", "stream"), moving.pop("options", None)
        return MovedBetween.around(build(inner, network, task, options=of_inner), **moving)
    return predictors.build(predict, network, of, networks=networks, options=options)
