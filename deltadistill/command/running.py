"""Runs a runner on a video: the steps overlap, and what is written is closed whatever comes."""

import argparse
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from deltadistill.command.exits import OutputError, TerminatedError, UnfinishedError, UsageError
from deltadistill.command.opened_runner import OnVideo, Told, open_runner
from deltadistill.video.json_lines import JsonLines
from deltadistill.video.pipelined import Pipelined, Step
from deltadistill.video.sound import Sound
from deltadistill.video.source import Patience, Source, open_source
from deltadistill.video.video_frame import VideoFrame
from deltadistill.video.writer import VideoWriter

_log = logging.getLogger(__name__)
_AHEAD, _AHEAD_LIVE = 3, 1  # frames between two steps; few of a live source, as each makes it later


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line asks for; return frames, seconds and what there is to say."""
    patience = Patience(waiting=arguments.waiting, drop=arguments.drop, give_up=arguments.give_up)
    _refuse_overwriting(arguments)
    on_video = open_runner(arguments)
    with closing(open_source(arguments.video, patience=patience)) as source, ExitStack() as files:
        targets = _targets(arguments, source, files)
        result, ended_by = _ran(on_video, source, targets, max_frames=arguments.max_frames)
    if not arguments.json:
        print(_summary(result, arguments))
    if ended_by is not None:
        raise UnfinishedError(result, ended_by)
    return result


@dataclass
class Targets:
    """Where results go: a video, JSON lines, or nowhere."""

    video: VideoWriter | None = None
    lines: JsonLines | None = None

    def finish(self) -> float:
        """Write what the encoder still holds, and return the seconds that took."""
        begun = time.perf_counter()
        if self.video is not None:
            self.video.close()
        return time.perf_counter() - begun


@dataclass
class _Count:
    frames: int = 0
    key_frames: int = 0
    forced: dict[str, int] = field(default_factory=dict)

    def note(self, told: Told) -> None:
        self.frames += 1
        self.key_frames += told.is_key
        if told.forced:
            self.forced[told.forced] = self.forced.get(told.forced, 0) + 1


def run_on(
    on_video: OnVideo, source: Source, targets: Targets, *, max_frames: int | None = None
) -> dict[str, Any]:
    """Run to the end of the source; an interruption passes through when all threads have ended.

    Returns frames, key frames, those that were forced by reason, seconds until the last one is written,
    frames a second (wall clock), seconds of work by step, and what was noticed.
    """
    result, ended_by = _ran(on_video, source, targets, max_frames=max_frames)
    if ended_by is not None:
        raise ended_by
    return result


Ended = BaseException | None
"""The interruption that ended a run before its source did, if one came."""


def _ran(
    on_video: OnVideo, source: Source, targets: Targets, *, max_frames: int | None
) -> tuple[dict[str, Any], Ended]:
    """See `run_on`; what was done until an interruption, and that."""
    count, begun = _Count(), time.perf_counter()
    ahead = _AHEAD_LIVE if source.is_live else _AHEAD
    expected = _fewer(source.expected(), max_frames)
    frames = closing_after(source, max_frames)
    steps = _steps(on_video, source, targets)
    with Pipelined(frames, steps, ahead=ahead) as results, _bar(expected) as bar:
        spent = results.spent | {"writing": 0.0}
        try:
            ended_by = _written(results, targets, count, spent, bar, max_frames)
        finally:
            source.close()  # frames that a thread waits for do not come any more
        spent |= results.spent
    spent["writing"] += targets.finish()
    seconds = time.perf_counter() - begun
    return _result(count, seconds, spent, source, targets), ended_by


def _steps(on_video: OnVideo, source: Source, targets: Targets) -> dict[str, Step]:
    steps: dict[str, Step] = {"preparing": on_video.prepare, "network": on_video.answer}
    if source.is_live:  # every step between makes a frame later by as long as the network takes
        steps = {"network": lambda frame: on_video.answer(on_video.prepare(frame))}
    steps["decoding"] = on_video.tell
    if targets.video is not None:
        steps["drawing"] = _drawn
    return steps


def _written(
    results: Iterable[Any],
    targets: Targets,
    count: _Count,
    spent: dict[str, float],
    bar: tqdm,
    most: int | None,
) -> Ended:
    """Write and count what the steps give."""
    try:
        for result in results:
            told, picture = result if targets.video is not None else (result, None)
            started = time.perf_counter()
            _write(targets, told, picture)
            spent["writing"] += time.perf_counter() - started
            count.note(told)
            bar.update()
            if most is not None and count.frames >= most:
                break
    except (KeyboardInterrupt, TerminatedError) as error:
        return error
    return None


def closing_after(source: Source, max_frames: int | None) -> Iterator[VideoFrame]:
    """The frames, at most so many; the source's iterator is closed where they end."""
    with closing(source.frames()) as frames:
        yield from islice(frames, max_frames)


def _drawn(told: Told) -> tuple[Told, Any]:
    return told, told.found.drawn(told.frame.pixels)


def _write(targets: Targets, told: Told, picture: Any) -> None:
    if targets.lines is not None:
        forced = {"forced": told.forced} if told.forced else {}
        found = {"key": told.is_key, **forced, **told.found.as_json()}
        targets.lines.write(told.frame.number, told.frame.seconds, found)
    if targets.video is not None:
        targets.video.write(picture, told.frame.seconds)


def _result(
    count: _Count, seconds: float, spent: dict[str, float], source: Source, targets: Targets
) -> dict[str, Any]:
    notes = list(source.notes())
    if targets.video is not None and targets.video.resized:
        notes.append(f"{targets.video.resized} frames of another size scaled to the first one's")
    for note in notes:
        _log.warning("%s: %s", source.name, note)
    return {
        "video": source.name,
        "frames": count.frames,
        "key_frames": count.key_frames,
        "forced_key_frames": count.forced,
        "seconds": seconds,
        "frames_per_second": count.frames / seconds,
        "work_seconds": spent,
        "dropped": source.dropped,
        "returns": source.returns,
        "notes": notes,
    }


def _targets(arguments: argparse.Namespace, source: Source, files: ExitStack) -> Targets:
    targets = Targets()
    if arguments.jsonl:
        with _writing(arguments.jsonl):
            targets.lines = files.enter_context(JsonLines(arguments.jsonl))
    if arguments.output:
        sound = Sound(_file_of(source)) if arguments.sound else None
        with _writing(arguments.output):
            targets.video = files.enter_context(VideoWriter(arguments.output, sound=sound))
    elif arguments.sound:
        raise UsageError("--sound goes with -o: there is no video to put it into")
    return targets


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{name} cannot be written: {reason}; name another file or folder") from error


def _file_of(source: Source) -> Path:
    path = getattr(source, "path", None)
    if path is None or not path.is_file():
        raise UsageError(f"--sound: {source.name} is no file; sound is copied from files")
    return path


def _refuse_overwriting(arguments: argparse.Namespace) -> None:
    """The video that is read may not be written."""
    for name in (arguments.output, arguments.jsonl):
        are_there = bool(name) and Path(name).exists() and Path(arguments.video).exists()
        if are_there and Path(name).samefile(arguments.video):
            raise UsageError(f"{name} is the video that is read; name another file to write")


def _fewer(expected: int | None, most: int | None) -> int | None:
    known = [number for number in (expected, most) if number is not None]
    return min(known, default=None)


def _bar(total: int | None) -> tqdm:
    """Progress with the time left, where somebody looks at it."""
    return tqdm(total=total, unit="frame", disable=None, file=sys.stderr, dynamic_ncols=True)


def _summary(result: dict[str, Any], arguments: argparse.Namespace) -> str:
    written = [str(name) for name in (arguments.output, arguments.jsonl) if name]
    into = f", in {' and '.join(written)}" if written else ""
    dropped = f", {result['dropped']} dropped" if result["dropped"] else ""
    return (
        f"{result['frames']} frames ({result['key_frames']} key frames{dropped}) in "
        f"{_short(result['seconds'])} s: {_short(result['frames_per_second'])} frames a second{into}"
    )


def _short(number: float) -> str:
    """Three digits that count, and all of those before the point."""
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"
