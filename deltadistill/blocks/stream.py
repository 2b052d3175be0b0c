"""A delta network over frames in time: one at a time with a key-frame schedule, or a whole clip at once."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.delta_network import seat_of
from deltadistill.blocks.schedules import FixedPeriod, KeySchedule
from deltadistill.blocks.sessions import ClipSession, StreamSession, hint_at_channels, require_frames
from deltadistill.forward.clip_axes import clip_axes

_log = logging.getLogger(__name__)

Run = Callable[[nn.Module, Tensor], Any]
"""How a network is run on frames (N, C, H, W), where not just called."""


class Stream:
    """Runs a delta network frame by frame: the teacher on key frames, students between.

    stream(frame) takes one frame (N, C, H, W) of N independent streams and returns the network's output.
    `is_key_frame` tells how the last frame was computed (before the first: True).
    period: every so many frames there is a key frame. schedule: decides which are, instead; those of
        `blocks.schedules`, or your own.
    run: how the network is run on a frame; None: called.
    Raises ValueError for a network without blocks, and unless there is one of period and schedule.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        period: int | None = None,
        schedule: KeySchedule | None = None,
        relative_to: str = "key",
        run: Run | None = None,
    ):
        if (period is None) == (schedule is None):
            raise ValueError("a stream takes either period=, such as 3, or schedule=")
        self.network = network
        self.period = period
        self.schedule = schedule or FixedPeriod(period)
        self._run = run or _call
        self._seat = seat_of(network)
        self._session = StreamSession(relative_to=relative_to)
        self._frame_shape: torch.Size | None = None
        self._has_key_frame = False

    def reset(self) -> None:
        """Forget everything; the next frame is a key frame."""
        self.schedule.reset()
        self._has_key_frame = False
        self._session.begin_frame(is_key_frame=True)

    def refresh(self) -> None:
        """Make the next frame a key frame, whatever the schedule says."""
        self.schedule.refresh()

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
        if self._frame_shape is None:
            self._look_at_first(frame)
        is_key_frame = self.schedule.is_key(frame) or not self._has_key_frame
        if not is_key_frame and frame.shape != self._frame_shape:
            raise ValueError(
                f"frame of shape {tuple(frame.shape)} follows frames of {tuple(self._frame_shape)}; "
                "call reset() before a stream of another size"
            )
        output = self._answer(frame, is_key_frame)
        self._frame_shape = frame.shape
        return output

    def _answer(self, frame: Tensor, is_key_frame: bool) -> Any:
        self._session.begin_frame(is_key_frame=is_key_frame, streams=frame.shape[0])
        try:
            with self._seat.taken_by(self._session):
                output = self._run(self.network, frame)
        except BaseException:
            self._has_key_frame = False  # half a state is left
            self.schedule.refresh()
            raise
        self._has_key_frame = True
        return output


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
    with seat_of(network).taken_by(session):
        output = (run or _call)(network, time_major)
    return clip_axes(output, clips, frames)
