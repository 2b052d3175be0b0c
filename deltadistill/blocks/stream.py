"""A delta network over frames in time: one at a time with a key-frame schedule, or a whole clip at once."""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.blocks.delta_network import seat_of
from deltadistill.blocks.sessions import ClipSession, StreamSession, hint_at_channels, require_frames
from deltadistill.forward.clip_axes import clip_axes

_log = logging.getLogger(__name__)

Run = Callable[[nn.Module, Tensor], Any]
"""How a network is run on frames (N, C, H, W), where not just called."""


class Stream:
    """Runs a delta network frame by frame: the teacher every `period` frames, students between.

    stream(frame) takes one frame (N, C, H, W) of N independent streams and returns the network's output.
    `is_key_frame` tells how the last frame was computed (before the first: True).
    run: how the network is run on a frame; None: called.

    Any number of streams may run on one network at once, in one thread or in several; each stream takes one
    frame at a time (RuntimeError).
    """

    def __init__(self, network: nn.Module, *, period: int, relative_to: str = "key", run: Run | None = None):
        if period < 1:
            raise ValueError(f"period {period} must be at least 1 (1 is the teacher on every frame)")
        self.network = network
        self.period = period
        self._run = run or _call
        self._seat = seat_of(network)
        self._session = StreamSession(relative_to=relative_to)
        self._one_frame = _OneAtATime()
        self._frame_shape: torch.Size | None = None
        self._frames_since_key = 0

    def reset(self) -> None:
        """Forget everything; the next frame is a key frame."""
        with self._one_frame:
            self._frames_since_key = 0
            self._session.begin_frame(is_key_frame=True)

    @property
    def is_key_frame(self) -> bool:
        """Whether the last frame was a key frame."""
        return self._session.is_key_frame

    @property
    def state_bytes(self) -> int:
        """Memory that the stream keeps between frames, bytes."""
        return sum(t.numel() * t.element_size() for state in self._session.state.values() for t in state)

    def _look_at_first(self, frame: Tensor) -> None:
        require_frames(frame, "(N, C, H, W)")
        hint_at_channels(self.network, frame)
        if self.network.training:
            _log.warning(
                "the network is in training mode; call eval() (batch norm and dropout act as in training)"
            )

    @torch.no_grad()
    def __call__(self, frame: Tensor) -> Any:
        """Process the next frame (N, C, H, W); the network should be in evaluation mode."""
        with self._one_frame:
            return self._next(frame)

    def _next(self, frame: Tensor) -> Any:
        is_key_frame = self._frames_since_key == 0
        if self._frame_shape is None:
            self._look_at_first(frame)
        if not is_key_frame and frame.shape != self._frame_shape:
            raise ValueError(
                f"frame of shape {tuple(frame.shape)} follows frames of {tuple(self._frame_shape)}; "
                "call reset() before a stream of another size"
            )
        self._session.begin_frame(is_key_frame=is_key_frame, streams=frame.shape[0])
        with self._seat.taken_by(self._session):
            output = self._run(self.network, frame)
        self._frame_shape = frame.shape
        self._frames_since_key = (self._frames_since_key + 1) % self.period
        return output


class _OneAtATime:
    """Refuses a frame while another runs; copies and pickles are free."""

    def __init__(self):
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


def _call(network: nn.Module, frames: Tensor) -> Any:
    return network(frames)


def forward_clip(
    network: nn.Module,
    clip: Tensor,
    *,
    session: ClipSession | None = None,
    relative_to: str | None = None,
    run: Run | None = None,
) -> Any:
    """Run clips (N, T, C, H, W), the first frame of each as key frame; outputs are (N, T, …).

    The network sees all frames at once, time first, so that training has one forward and backward.
    Any tree of tensors that the network returns comes back with the clip's two axes in front, and a list
    with one entry per frame (detections) as N lists of T entries (see `clip_axes`).
    relative_to: "key" or "previous", the frame that deltas refer to; by default the session's, else "key".
    run: how the network is run on frames; None: called.
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
    session.begin(clips=clips)
    time_major = clip.transpose(0, 1).flatten(0, 1)
    seat = seat_of(network)
    with seat.taken_by(session):
        output = (run or _call)(network, time_major)
    errors = [error.squared for error in session.errors.values()]
    seat.refuse_recomputation(leaf for leaf in (*tree_leaves(output), *errors) if isinstance(leaf, Tensor))
    return clip_axes(output, clips, frames)
