"""Streams by name that share one network or runner: they join, leave and begin again while others go on."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from threading import Lock
from typing import Any, Protocol


class OneStream(Protocol):
    """What a `Stream` and a `Runner` have in common: the state of one video, and key frames of its own."""

    is_key_frame: bool

    def __call__(self, frame: Any) -> Any:
        """Answer the next frame."""

    def refresh(self) -> None:
        """Make the next frame a key frame; from any thread."""

    def reset(self) -> None:
        """Forget everything; the next frame is a key frame."""


class Streams:
    """Any number of independent streams, each with its own state and key frames.

    streams = Streams(runner.another), or Streams(lambda: Stream(network, period=3))
    streams({"door": frame, "yard": other}) answers the next frame of these two, one after the other and each
    as if it were alone; streams that have none at the time just wait. A name that is new joins, with a key
    frame; `leave` forgets a stream, whose name may join again. streams["door"] is the stream itself:
    `refresh()`, `reset()`, `is_key_frame`.

    begin: makes a stream that shares what is loaded. Frames may come from any threads, one at a time for each
    stream.
    """

    def __init__(self, begin: Callable[[], OneStream]):
        self._begin = begin
        self._streams: dict[Hashable, OneStream] = {}
        self._joining = Lock()

    def __call__(self, frames: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Outputs of a frame each, by the name of its stream.

        An error names the stream that it came from; it has a key frame next; those before it have gone on.
        """
        return {name: self._answer(name, frame) for name, frame in frames.items()}

    def join(self, name: Hashable, stream: OneStream | None = None) -> OneStream:
        """Begin a stream; ValueError for a name that has one.

        stream: one of your own making, with another schedule for example, in place of what `begin` makes.
        """
        with self._joining:
            if name in self._streams:
                raise ValueError(f"there is a stream {name!r} already; leave({name!r}) ends it")
            self._streams[name] = self._begin() if stream is None else stream
            return self._streams[name]

    def leave(self, name: Hashable) -> None:
        """Forget a stream, and free what it keeps; ValueError where there is none."""
        with self._joining:
            self[name]
            del self._streams[name]

    def __getitem__(self, name: Hashable) -> OneStream:
        if name not in self._streams:
            listed = ", ".join(map(repr, self._streams)) or "none"
            raise ValueError(f"there is no stream {name!r}; there are {listed}")
        return self._streams[name]

    def __contains__(self, name: Hashable) -> bool:
        return name in self._streams

    def __iter__(self) -> Iterator[Hashable]:
        return iter(list(self._streams))

    def __len__(self) -> int:
        return len(self._streams)

    def _answer(self, name: Hashable, frame: Any) -> Any:
        stream = self._streams.get(name) or self._joined(name)
        try:
            return stream(frame)
        except Exception as error:
            error.add_note(f"(in the stream {name!r})")
            raise

    def _joined(self, name: Hashable) -> OneStream:
        with self._joining:
            if name not in self._streams:
                self._streams[name] = self._begin()
            return self._streams[name]
