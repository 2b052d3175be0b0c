"""Which video stream of a file is its film, where it also has previews, alternatives or a cover picture."""

import re

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

_NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails
_PREVIEW = 0.1  # of what another stream shows, pixels × seconds; some writers mark the first stream unasked


def main_stream(container: InputContainer) -> VideoStream | None:
    """The stream that is marked as default, or else the one with most pixels × seconds; None where none is.

    A cover picture is never taken, and the mark counts for nothing on a stream that shows less than a tenth
    of what another shows.
    """
    films = _films(container)
    most = max((_extent(container, stream) for stream in films), default=0.0)

    def rank(stream: VideoStream) -> tuple[bool, float]:
        extent = _extent(container, stream)
        return _is_default(stream) and extent >= _PREVIEW * most, extent

    return max(films, key=rank, default=None)


def choice(container: InputContainer, taken: VideoStream) -> str | None:
    """What to say of the choice: which stream was taken and which others were not; None: there is one."""
    others = [stream for stream in _films(container) if stream.index != taken.index]
    if not others:
        return None
    left = ", ".join(_described(container, stream) for stream in others)
    return f"of {len(others) + 1} video streams took {_described(container, taken)}; not {left}"


def seconds_said(stream: VideoStream) -> float | None:
    """The length of a stream as its container says it; None where it does not."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska
    if tag is None:
        return None
    hours, minutes, seconds = (float(part) for part in tag.groups())
    return 3600 * hours + 60 * minutes + seconds


def _films(container: InputContainer) -> list[VideoStream]:
    return [stream for stream in container.streams.video if not stream.disposition & _NO_FILM]


def _is_default(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _extent(container: InputContainer, stream: VideoStream) -> float:
    """Pixels × seconds; a second where nothing tells the length."""
    context = stream.codec_context
    pixels = context.width * context.height if context else 0
    rate = stream.average_rate
    counted = float(stream.frames / rate) if stream.frames and rate else None
    return pixels * (seconds_said(stream) or counted or (container.duration or 1e6) / 1e6)


def _described(container: InputContainer, stream: VideoStream) -> str:
    context = stream.codec_context
    facts = [f"{context.height}×{context.width}" if context else "unknown codec"]
    if seconds := seconds_said(stream):
        facts.append(f"{seconds:.2f} s")
    if stream.frames:
        facts.append(f"{stream.frames} frames")
    if _is_default(stream):
        facts.append("marked as default")
    return f"stream {stream.index} ({', '.join(facts)})"
