"""Times a runner on a video, end to end and per part, against its per-frame network in the fastest engine."""

import argparse
import logging
import statistics
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

from deltadistill.command.opened_runner import OnVideo, open_runner
from deltadistill.command.running import Targets, run_on
from deltadistill.runtime.runner import Runner
from deltadistill.runtime.structure import rebuild
from deltadistill.video.key_needs import KeyNeeds
from deltadistill.video.source import open_source
from deltadistill.video.writer import VideoWriter

_log = logging.getLogger(__name__)


class PerFrame:
    """The same network, computed in full on every frame."""

    is_key_frame = True

    def __init__(self, runner: Any):
        self._session, self._structure = runner.session, runner.description.structure

    def __call__(self, frame: Any) -> Any:
        """Outputs of a frame, in the network's structure."""
        return rebuild(self._structure, self._session.frame(frame))

    def refresh(self) -> None:
        """Every frame is one."""


def bench(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line asks for; the text is printed where no JSON is."""
    on_video = open_runner(arguments)
    ways = {
        "runner": on_video,
        "per frame": replace(on_video, runner=PerFrame(_fastest(on_video, arguments))),
    }
    runs = measured(
        ways, arguments.video, frames=arguments.frames, rounds=arguments.rounds, arguments=arguments
    )
    result = compared(runs) | {"video": arguments.video, "engine": _engine_of(on_video.runner)}
    if not arguments.json:
        print(text(result))
    return result


def measured(
    ways: dict[str, OnVideo], video: str, *, frames: int, rounds: int, arguments: argparse.Namespace
) -> dict[str, list[dict[str, Any]]]:
    """What `run_on` returns of each way and round; the ways take turns, and so does the one that begins."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    level, logger = _log.level, logging.getLogger("deltadistill.command.running")
    for number in range(rounds):
        order = list(ways) if number % 2 == 0 else list(ways)[::-1]
        for name in order:
            runs[name].append(_once(ways[name], video, frames, arguments))
        logger.setLevel(logging.ERROR)  # what there is to say of the video has been said
    logger.setLevel(level)
    return runs


def _once(way: OnVideo, video: str, frames: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One pass over the beginning of the video, drawn and written into a file that nobody keeps."""
    way.runner.refresh()
    way = replace(way, needs=KeyNeeds(scene_cut=arguments.scene_cut or None))
    with (
        TemporaryDirectory() as folder,
        closing(open_source(video)) as source,
        VideoWriter(f"{folder}/out.mp4") as writer,
    ):
        return run_on(way, source, Targets(video=writer), max_frames=frames)


def compared(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians in milliseconds a frame, and the medians of the ratios within a round."""
    return {
        "frames": runs["runner"][0]["frames"],
        "key_frames": runs["runner"][0]["key_frames"],
        "ms_per_frame": {name: _medians(rounds) for name, rounds in runs.items()},
        "speedup": {
            "end to end": _ratio(runs, lambda run: run["seconds"]),
            "network": _ratio(runs, lambda run: run["work_seconds"]["network"]),
        },
    }


def _medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
    parts = {"end to end": [run["seconds"] / run["frames"] for run in rounds]}
    for name in rounds[0]["work_seconds"]:
        parts[name] = [run["work_seconds"][name] / run["frames"] for run in rounds]
    return {name: 1e3 * statistics.median(values) for name, values in parts.items()}


def _ratio(runs: dict[str, list[dict[str, Any]]], seconds: Callable[[dict[str, Any]], float]) -> float:
    pairs = zip(runs["per frame"], runs["runner"], strict=True)
    return statistics.median(seconds(plain) / seconds(ours) for plain, ours in pairs)


def _fastest(on_video: OnVideo, arguments: argparse.Namespace) -> Any:
    """The runner itself, or one of the engine in which the per-frame network is fastest."""
    choice = getattr(on_video.runner, "choice", None)
    times = dict(getattr(choice, "frame_ms", {}))
    best = min(times, key=lambda name: times[name]) if times else None
    if best is None or best == choice.engine:
        return on_video.runner
    options = {"threads": arguments.threads, "precision": arguments.precision}
    return Runner(arguments.runner, engine=best, period=1, decode=on_video.adapter.decode, **options)


def _engine_of(runner: Any) -> str | None:
    return getattr(getattr(runner, "choice", None), "engine", None)


def text(result: dict[str, Any]) -> str:
    """A table of the parts and both ratios."""
    ours, plain = (result["ms_per_frame"][name] for name in ("runner", "per frame"))
    lines = [f"{result['frames']} frames, {result['key_frames']} of them key frames; milliseconds a frame:"]
    lines += [f"  {'':<12}{'runner':>10}{'per frame':>12}"]
    lines += [f"  {name:<12}{ours[name]:>10.2f}{plain[name]:>12.2f}" for name in ours]
    speedup = result["speedup"]
    lines += [f"×{speedup['end to end']:.2f} end to end, ×{speedup['network']:.2f} the network alone"]
    return "\n".join([*lines, "(parts overlap: the slowest one decides)"])
