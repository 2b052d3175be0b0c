"""A delta network over frames in time: one at a time with a key-frame schedule, or a whole clip at once."""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.blocks.delta_network import seat_of
from deltadistill.blocks.rule import Motion
from deltadistill.blocks.schedules import FixedPeriod, KeySchedule
from deltadistill.blocks.sessions import ClipSession, StreamSession, hint_at_channels, require_frames
from deltadistill.forward.clip_axes import all_frames, clip_axes
from deltadistill.forward.outputs import called
from deltadistill.motion.warp import Warp

_log = logging.getLogger(__name__)

Run = Callable[[nn.Module, Tensor], Any]
"""How a network is run on frames (N, C, H, W), where not just called."""


class Stream:
    """Runs a delta network frame by frame: the teacher on key frames, students between.

    stream(frame) takes one frame (N, C, H, W) of N independent streams and returns the network's output.
    `is_key_frame` tells how the last frame was computed (before the first: True).
    period: every so many frames there is a key frame. schedule: decides which are, instead; one of
        `blocks.schedules`, or your own. It sees the frames as they are given here.
    run: how the network is run on a frame; None: called.
    nonfinite: what to do when NaN or infinity has come into what later frames start from, where it would
        stay until the next key frame: "keep" does not look (and costs nothing); "refresh" makes the next
        frame a key frame; "raise" does so too, and raises FloatingPointError.

    Any number of streams may run on one network at once, in one thread or in several; each stream takes one
    frame at a time (RuntimeError). After an error inside the network the next frame is a key frame.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        period: int | None = None,
        schedule: KeySchedule | None = None,
        relative_to: str = "key",
        run: Run | None = None,
        nonfinite: str = "keep",
    ):
        if nonfinite not in _NONFINITE:
            raise ValueError(f"nonfinite {nonfinite!r} is unknown; allowed: {', '.join(_NONFINITE)}")
        if period is not None and schedule is not None:
            raise ValueError(
                f"period {period} and a schedule are given; which frames are key frames hangs on one"
            )
        self.network = network
        # FixedPeriod refuses None itself
        self._schedule = FixedPeriod(cast(int, period)) if schedule is None else schedule
        self._nonfinite = nonfinite
        self._run = run or called
        self._seat = seat_of(network)
        self._session = StreamSession(relative_to=relative_to)
        self._one_frame = _OneAtATime()
        self._form: dict[str, Any] = {}
        self.refresh()

    @property
    def period(self) -> int | None:
        """Frames from one key frame to the next; may be set at any time, and holds from the next frame on.

        A key frame is due as soon as `period` frames have been computed since the last one began. None where
        another schedule decides, which no longer does once a period is set.
        """
        return self._schedule.period if isinstance(self._schedule, FixedPeriod) else None

    @period.setter
    def period(self, period: int) -> None:
        if isinstance(self._schedule, FixedPeriod):
            self._schedule.period = period
        else:
            self._schedule = FixedPeriod(period)

    def reset(self) -> None:
        """Forget everything; the next frame is a key frame."""
        with self._one_frame:
            self._session.forget()
            self._schedule.reset()

    def refresh(self) -> None:
        """Make the next frame a key frame, from which the schedule counts anew.

        What came before stays until then; in another thread than the stream's this may be called at any time.
        """
        self._schedule.refresh()

    @property
    def is_key_frame(self) -> bool:
        """Whether the last frame was a key frame."""
        return self._session.is_key_frame

    @property
    def state_bytes(self) -> int:
        """Memory that the stream keeps between frames, bytes."""
        return self._session.state_bytes

    @torch.no_grad()
    def __call__(self, frame: Tensor, *, motion: Motion | None = None) -> Any:
        """Process the next frame (N, C, H, W); the network should be in evaluation mode.

        motion: since the frame before, for student designs that move what they keep (see Rule.carry); all of
            this library's leave it where it is.
        """
        with self._one_frame:
            self._look_at(frame)
            is_key_frame = self._schedule.is_due(frame)
            if not is_key_frame:
                self._require_form(frame)
            try:
                output = self._computed(frame, is_key_frame, motion)
            except BaseException as error:
                self.refresh()  # some blocks may have gone on and others not
                self._note_types(frame, error)
                raise
            self._form = {name: getattr(frame, name) for name in _FORM}
            self._schedule.note(frame, is_key=is_key_frame)
            return output

    def _computed(self, frame: Tensor, is_key_frame: bool, motion: Motion | None) -> Any:
        self._session.begin_frame(is_key_frame=is_key_frame, streams=frame.shape[0], motion=motion)
        with self._seat.taken_by(self._session):
            output = self._run(self.network, frame)
        if self._nonfinite != "keep":
            self._look_for_nonfinite(frame)
        return output

    def _note_types(self, frame: Tensor, error: BaseException) -> None:
        """Networks may convert what they are given, so that this is only said when they fail."""
        weights = next((p.dtype for p in self.network.parameters() if p.is_floating_point()), frame.dtype)
        if weights != frame.dtype:
            error.add_note(f"(the frame is of {frame.dtype}, the network of {weights}: frame.to({weights}))")

    def _look_for_nonfinite(self, frame: Tensor) -> None:
        name = self._session.not_finite()
        if name is None:
            return
        self.refresh()
        if self._nonfinite == "raise":
            seen = "finite" if frame.isfinite().all() else "not finite itself"
            raise FloatingPointError(
                f"NaN or infinity in what the block {name!r} keeps of this frame, which is {seen}; the next "
                "frame will be a key frame"
            )

    def _look_at(self, frame: Tensor) -> None:
        require_frames(frame, "(N, C, H, W)")
        if self._form:
            return
        hint_at_channels(self.network, frame)
        if self.network.training:
            _log.warning(
                "the network is in training mode; call eval() (batch norm and dropout act as in training)"
            )

    def _require_form(self, frame: Tensor) -> None:
        for name, before in self._form.items():
            if (now := getattr(frame, name)) != before:
                raise ValueError(
                    f"frame of {name} {_shown(now)} follows frames of {name} {_shown(before)}; call reset() "
                    f"before a stream of another {name}"
                )


_FORM = ("shape", "dtype", "device")  # what a delta frame has in common with its key frame
_NONFINITE = ("keep", "refresh", "raise")


def _shown(value: Any) -> str:
    return str(tuple(value) if isinstance(value, torch.Size) else value)


class _OneAtATime:
    """Refuses a frame while another runs; copies and pickles are free."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["_OneAtATime"], tuple[()]]:
        return _OneAtATime, ()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "this stream is busy with a frame, in another thread or in its own `run`, and takes one "
                "after the other; make one Stream per video: any number may run on one network"
            )

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def forward_clip(
    network: nn.Module,
    clip: Tensor,
    *,
    session: ClipSession | None = None,
    relative_to: str | None = None,
    run: Run | None = None,
    motion: Tensor | None = None,
) -> Any:
    """Run clips (N, T, C, H, W), the first frame of each as key frame; outputs are (N, T, …).

    The network sees all frames at once, time first, so that training has one forward and backward.
    Any tree of tensors that the network returns comes back with the clip's two axes in front, and a list
    with one entry per frame (detections) as N lists of T entries (see `clip_axes`).
    relative_to: "key" or "previous", the frame that deltas refer to; by default the session's, else "key".
    run: how the network is run on frames; None: called.
    motion: of later frames since their key frame, (N, T − 1, 2, h, w), for rules that move what they keep.
    The backward pass raises RuntimeError where it runs blocks again (gradient checkpointing).
    """
    require_frames(clip, "(N, T, C, H, W)")
    hint_at_channels(network, clip)
    clips, frames = clip.shape[:2]
    session = session or ClipSession(frames, relative_to=relative_to or "key")
    if relative_to not in (None, session.relative_to):
        raise ValueError(
            f"the session predicts relative to {session.relative_to!r}, not to {relative_to!r}; "
            "make the session with relative_to, or leave it out here"
        )
    if session.frames != frames:
        raise ValueError(f"the session is for clips of {session.frames} frames; this clip has {frames}")
    session.begin(clips=clips, motion=None if motion is None else Warp(all_frames(motion)))
    time_major = clip.transpose(0, 1).flatten(0, 1)
    seat = seat_of(network)
    with seat.taken_by(session):
        output = (run or called)(network, time_major)
    errors = [error.squared for error in session.errors.values()]
    seat.refuse_recomputation(leaf for leaf in (*tree_leaves(output), *errors) if isinstance(leaf, Tensor))
    return clip_axes(output, clips, frames)
