"""A runner: a folder that `dd.export` wrote, run frame by frame with numpy and one engine."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from deltadistill.blocks.schedules import FixedPeriod, KeySchedule
from deltadistill.motion.cells import CellMotion
from deltadistill.runtime.choice import Choice, choose
from deltadistill.runtime.engine import Maps, Session, open_session
from deltadistill.runtime.filling import Filling
from deltadistill.runtime.graphs import Graphs, bytes_of
from deltadistill.runtime.map_motion import motion_since_key
from deltadistill.runtime.runner_file import LEARNER, Description, Schedule, read_description
from deltadistill.runtime.structure import rebuild
from deltadistill.video.registry import DECODERS

Decode = Callable[[Any], Any]


class Runner:
    """Runs a folder that `dd.export` wrote as a `Stream` runs its network: full on key frames, cheap between.

    runner(frame) takes the next frame and returns the network's outputs as arrays; they stay as they are.
    A frame has the form that `description.frame` tells: uint8 pictures (N, H, W, 3), red first, where the
    folder says how pictures go in, else the network's own frames. A runner keeps the state of one video;
    `another()` gives one for the next video that shares what was loaded, and `Streams(runner.another)` any
    number of them by name.

    engine: a name of runtime/registry.py; "auto" measures for some seconds which is fastest here, remembers
        it by machine and runner, and computes every frame in full where that is not slower. `choice` tells.
    threads: at most so many; None: as many as there are cores. precision: "fp32", "bf16", "int8".
    period: instead of the folder's. schedule: decides which frames are key frames, instead of a period; it
        sees the frames as they are given here (blocks/schedules.py).
    decode: makes of the network's outputs for one frame what the runner returns in their place
        (video/decoders.py); needed by a folder that moves answers between its key frames, whose own decoder
        it is where that has a name, and that also has copies made of what was decoded.
    Raises FileNotFoundError and ValueError for a folder that is not a runner (read_description), and
    ValueError for an engine that cannot run it here, with the reason.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        engine: str = "auto",
        threads: int | None = None,
        precision: str = "fp32",
        period: int | None = None,
        schedule: KeySchedule | None = None,
        device: str = "cpu",
        decode: Decode | None = None,
    ):
        folder = Path(folder).expanduser()
        self.description = read_description(folder)
        _require_nobody_learns(folder, period)
        graphs = graphs_in(folder, self.description)
        if period is not None and schedule is not None:
            raise ValueError(f"period {period} and a schedule are given; which frames are key hangs on one")
        self._decode = _decoder(folder, self.description, decode)
        written = self.description.schedule if period is None else Schedule(period=FixedPeriod(period).period)
        self._written = written if schedule is None else None
        self.choice = (
            choose(
                graphs,
                self.description,
                period=written.period,
                threads=threads,
                precision=precision,
                device=device,
            )
            if engine == "auto"
            else Choice(engine, precision, per_frame=self.description.computes_every_frame)
        )
        session = open_session(
            graphs, self.choice.engine, threads=threads, precision=self.choice.precision, device=device
        )
        self._begin(session, Lock(), schedule or written.made())

    def _begin(self, session: Session, turn: Lock, schedule: KeySchedule) -> None:
        self.session = session
        self._turn = turn  # of all that share the session: engines take one frame at a time
        self._schedule = schedule
        self._one_frame = Lock()
        self._maps: Maps | None = None
        self._batch = 0
        self._size: tuple[int, ...] | None = None
        between = self.description.between
        form = None if self.choice.per_frame else self.description.motion
        self._motion = None if form is None else motion_since_key(form)
        self._filling = None if self.choice.per_frame or between.kind == "delta" else Filling(between)
        self.is_key_frame = True
        schedule.refresh()

    def another(self, schedule: KeySchedule | None = None) -> "Runner":
        """A runner for another video, which shares the engine's graphs with this one; in any thread.

        Where both have a frame at the same time, one waits for the other.
        schedule: of its own; by default as this one's was made, ValueError where that was an object given.
        """
        if schedule is None and self._written is None:
            raise ValueError("this runner has a schedule that cannot be shared; give the other its own")
        twin = object.__new__(Runner)
        twin.description, twin.choice, twin._decode = self.description, self.choice, self._decode
        twin._written = self._written if schedule is None else None
        twin._begin(self.session, self._turn, schedule or self._written.made())
        return twin

    def reset(self) -> None:
        """Forget everything; the next frame is a key frame."""
        self._maps = None
        self._schedule.reset()

    def refresh(self) -> None:
        """Make the next frame a key frame, from which the schedule counts anew; from any thread."""
        self._schedule.refresh()

    @property
    def decodes(self) -> bool:
        """Whether what is returned is decoded."""
        return self._decode is not None

    @property
    def state_bytes(self) -> int:
        """Memory of the maps of one frame, bytes, for maps as they are described."""
        return bytes_of(self.description.maps, self.description.sizes)

    def __call__(self, frame: np.ndarray) -> Any:
        """Outputs of the next frame, or what `decode` makes of them.

        Raises ValueError for a frame of another form, and RuntimeError while another frame is computed.
        """
        if not self._one_frame.acquire(blocking=False):
            raise RuntimeError("this runner is busy with a frame; make one for each video, by another()")
        try:
            self.description.frame.require(frame)
            self._begin_anew_at_another_size(frame)
            is_key_frame = self._schedule.is_due(frame)
            self._require_as_many(frame, is_key_frame)
            if self._decode is not None and len(frame) != 1:
                raise ValueError(
                    f"{len(frame)} frames side by side, where answers are decoded one by one; make a runner "
                    "for each video, by another()"
                )
            try:
                answer = self._answered(frame, is_key_frame)
            except BaseException:
                self.refresh()  # maps may be half-written
                raise
            self._schedule.note(frame, is_key=is_key_frame)
            return answer
        finally:
            self._one_frame.release()

    def _begin_anew_at_another_size(self, frame: np.ndarray) -> None:
        """Maps are of the size that the key frame had."""
        if self._size not in (None, frame.shape[1:]):
            self.reset()
        self._size = frame.shape[1:]

    def _require_as_many(self, frame: np.ndarray, is_key_frame: bool) -> None:
        if not (is_key_frame or self.choice.per_frame) and len(frame) != self._batch:
            raise ValueError(
                f"{len(frame)} frames side by side follow a key frame of {self._batch}; call reset() before "
                "another number of streams"
            )

    def _answered(self, frame: np.ndarray, is_key_frame: bool) -> Any:
        filling = self._filling
        if filling is not None and not is_key_frame and not filling.is_computed():
            self.is_key_frame = False
            return filling.answered(frame)
        motions = () if self._motion is None else self._motion.see(frame, is_key=is_key_frame)
        with self._turn:
            outputs = self._computed(frame, is_key_frame, motions)
        answer = rebuild(self.description.structure, outputs)
        if self._decode is not None:
            answer = self._decode(answer)
        if filling is not None:
            filling.computed(frame, answer, is_key=is_key_frame)
        return answer

    def _computed(
        self, frame: np.ndarray, is_key_frame: bool, motions: Sequence[CellMotion]
    ) -> Sequence[np.ndarray]:
        self.is_key_frame = is_key_frame or self.choice.per_frame
        if self.choice.per_frame or self.description.between.computes_keys_alone:
            self._batch = len(frame)
            return self.session.frame(frame)
        if not is_key_frame:
            return self.session.delta(frame, self._maps, *([motions] if motions else []))
        reusable = self._maps if self._maps is not None and len(frame) == self._batch else None
        outputs, self._maps = self.session.key(frame, into=reusable)
        self._batch = len(frame)
        return outputs


def _require_nobody_learns(folder: Path, period: int | None) -> None:
    if period != 1 and (folder / LEARNER).exists():
        raise ValueError(
            f"{folder}: this runner learns while it runs, which takes PyTorch: deltadistill run, or "
            "LearningRunner of deltadistill.exporting.learning_runner; period=1 computes every frame in full"
        )


def _decoder(folder: Path, description: Description, given: Decode | None) -> Decode | None:
    """What was given, else what the folder names; ValueError where it needs one and names none."""
    between = description.between
    if given is None and between.decoder is not None:
        return DECODERS.find(between.decoder)
    if given is None and between.kind == "moved":
        raise ValueError(
            f"{folder}: answers are moved along between key frames, as a decoder of its maker's own made "
            "them; give it: decode=, or --adapter or --decoder at the command line"
        )
    return given


def graphs_in(folder: Path, description: Description) -> Graphs:
    """The graphs of a runner's folder, for engines."""
    return Graphs(
        frame=description.frame,
        outputs=tuple(description.outputs),
        maps=tuple(description.maps),
        onnx={name: folder / graph.file for name, graph in description.graphs.items()},
        int8={name: folder / graph.file for name, graph in description.int8.items()},
        packages={name: folder / graph.file for name, graph in description.packages.items()},
        moved=frozenset() if description.motion is None else frozenset(description.motion.maps),
        sizes=description.sizes,
    )
