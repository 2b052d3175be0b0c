"""Cameras of this machine, camera:0 and so on: live, by OpenCV."""

import time
from collections.abc import Iterator
from typing import Any

import cv2

from deltadistill.video.source import Patience, Source
from deltadistill.video.video_frame import VideoFrame
from deltadistill.video.waiting_frames import WaitingFrames


def open_camera(name: str, patience: Patience) -> Source:
    """Open camera:NUMBER; ValueError where there is no such camera."""
    number = name.removeprefix("camera:")
    if not number.isdecimal():
        raise ValueError(f"{name} is no camera; expected camera:0, camera:1, …")
    capture = cv2.VideoCapture(int(number))
    if not capture.isOpened():
        raise ValueError(f"{name} cannot be opened; see whether it is there and no other program has it")
    return _Camera(name, patience, capture)


class _Camera:
    """Frames that come when they come, with the seconds since it was opened."""

    is_live = True
    returns = 0

    def __init__(self, name: str, patience: Patience, capture: Any):
        self.name, self._capture, self._patience = name, capture, patience
        self._count = 0
        self._begun = time.monotonic()
        self._waiting: WaitingFrames[VideoFrame] = WaitingFrames(self._read, patience)

    @property
    def dropped(self) -> int:
        """Frames that came and were not taken."""
        return self._waiting.dropped

    def frames(self) -> Iterator[VideoFrame]:
        """The latest frames; ValueError when the camera gives no more."""
        for frame, _ in self._waiting:
            yield frame

    def expected(self) -> None:
        """Nothing tells."""

    def notes(self) -> tuple[str, ...]:
        """What was dropped."""
        dropped = f"{self.dropped} of {self._count} frames dropped ({self._patience.drop})"
        return (dropped,) if self.dropped else ()

    def close(self) -> None:
        """Let go of it."""
        self._waiting.stop()

    def _read(self, waiting: WaitingFrames[VideoFrame]) -> None:
        try:
            while not waiting.stopped:
                there, pixels = self._capture.read()
                if not there:
                    raise ValueError(f"{self.name} gives no more frames after frame {self._count - 1}")
                seconds = time.monotonic() - self._begun
                waiting.put(VideoFrame(pixels[..., ::-1], seconds, False, self._count))
                self._count += 1
        finally:
            self._capture.release()
