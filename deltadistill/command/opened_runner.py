"""A runner made ready for a video: how pictures go in, and what its outputs mean."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deltadistill.blocks.schedules import KeySchedule
from deltadistill.command.exits import UsageError
from deltadistill.command.registry import RUNNERS
from deltadistill.predictors.key_schedules import build_schedule
from deltadistill.runtime.runner_file import LEARNER, read_description
from deltadistill.video.adapter import Adapter, find_decoder, read_adapter
from deltadistill.video.decoders import Decode, by_form
from deltadistill.video.fitting import fitted, window
from deltadistill.video.found import Found, found_in
from deltadistill.video.key_needs import KeyNeeds
from deltadistill.video.video_frame import VideoFrame

OWN_ADAPTER = "adapter.yaml"  # beside runner.json; it may name no code


class Prepared(NamedTuple):
    """A frame of the video, and the network's frame uint8 (1, h, w, 3)."""

    frame: VideoFrame
    pixels: np.ndarray


class Answered(NamedTuple):
    """The network's outputs for a frame, whether it was a key frame, and why it was made one."""

    frame: VideoFrame
    outputs: Any
    is_key: bool
    forced: str | None


class Told(NamedTuple):
    """What was found in a frame."""

    frame: VideoFrame
    found: Found
    is_key: bool
    forced: str | None


@dataclass
class OnVideo:
    """The steps between a video's frames and what is found in them; one video at a time.

    runner: called with a frame uint8 (1, h, w, 3), it returns the network's outputs as arrays.
    """

    runner: Any
    size: tuple[int, int]
    fit: str
    adapter: Adapter
    needs: KeyNeeds

    def prepare(self, frame: VideoFrame) -> Prepared:
        """Fit the picture into the network's frame."""
        return Prepared(frame, fitted(frame.pixels, self.size, self.fit)[None])

    def answer(self, prepared: Prepared) -> Answered:
        """Run the network; a frame that has nothing to do with the ones before it is a key frame."""
        forced = self.needs.why(prepared.frame)
        if forced:
            self.runner.refresh()
        outputs = self.runner(prepared.pixels)
        return Answered(prepared.frame, outputs, self.runner.is_key_frame, forced)

    def tell(self, answered: Answered) -> Told:
        """Decode the outputs, in the pixels of the video's picture."""
        picture = answered.frame.pixels.shape[:2]
        found = found_in(
            self._decoded(answered.outputs),
            picture=picture,
            frame=self.size,
            where=window(picture, self.size, self.fit),
            showing=self.adapter.showing,
        )
        return Told(answered.frame, found, answered.is_key, answered.forced)

    def _decoded(self, outputs: Any) -> Any:
        return outputs if getattr(self.runner, "decodes", False) else self.adapter.decode(outputs)


def open_runner(arguments: argparse.Namespace) -> OnVideo:
    """The runner of a command line; ValueError for a folder without one, or one that takes no pictures."""
    folder = Path(arguments.runner).expanduser()
    adapter = _adapter(arguments, folder)
    options: Mapping[str, Any] = {
        "engine": arguments.engine,
        "threads": arguments.threads,
        "precision": arguments.precision,
        "period": arguments.period,
        "schedule": _schedule(arguments),
    }
    runner = _opened(folder, adapter, options)
    pictures = runner.description.pictures
    if pictures is None:
        raise ValueError(
            f"{folder}: the runner takes tensors, and nothing says how pictures become them; export the "
            "network again with pictures=… (docs/runtime.md)"
        )
    needs = KeyNeeds(scene_cut=arguments.scene_cut or None)
    return OnVideo(runner, tuple(pictures.size), pictures.fit, adapter, needs)


def _opened(folder: Path, adapter: Adapter, options: Mapping[str, Any]) -> Any:
    """A runner; one that learns where the folder says so, unless every frame is asked for in full."""
    if options["period"] == 1 or not (folder / LEARNER).exists():
        return RUNNERS.find("plain")(folder, decode=_moved_by(folder, adapter), **options)
    if options["period"] or options["schedule"]:
        raise UsageError(
            f"{folder}: this runner learns while it runs, and its stride says which frames are labelled; "
            "leave --period and --schedule out, or give --period 1 for every frame in full"
        )
    try:
        opened = RUNNERS.find("learning")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{folder}: this runner learns while it runs, and {error.name} is not installed: pip install "
            "'deltadistill[torch]', or --period 1 for every frame in full"
        ) from None
    own = {name: value for name, value in options.items() if name not in ("period", "schedule")}
    return opened(folder, decode=adapter.decode, **own)


def _moved_by(folder: Path, adapter: Adapter) -> Decode | None:
    """The decoder that a runner needs which does not compute every frame.

    None: none; or for moved answers, where the user names none, that which the folder names.
    """
    kind = read_description(folder, whole=False).between.kind
    return None if kind == "delta" or (kind == "moved" and adapter.decode is by_form) else adapter.decode


def _schedule(arguments: argparse.Namespace) -> KeySchedule | None:
    """The schedule that is named; None where the period or the runner's own holds."""
    if arguments.schedule is None and not arguments.schedule_option:
        return None
    if arguments.schedule is None:
        raise UsageError("--schedule-option goes with --schedule NAME")
    if arguments.period is not None:
        raise UsageError("--period and --schedule: key frames hang on one of them; give that alone")
    try:
        return build_schedule(arguments.schedule, dict(arguments.schedule_option))
    except ValueError as error:
        raise UsageError(str(error)) from None


def _adapter(arguments: argparse.Namespace, folder: Path) -> Adapter:
    """What the user says of the outputs, else what lies beside the runner."""
    own = folder / OWN_ADAPTER
    if arguments.adapter:
        adapter = read_adapter(arguments.adapter)
    else:
        adapter = read_adapter(own, trusted=False) if own.is_file() else Adapter()
    if arguments.decoder:
        adapter = replace(adapter, decode=find_decoder(arguments.decoder))
    if arguments.threshold is not None:
        adapter = replace(adapter, showing=replace(adapter.showing, threshold=arguments.threshold))
    return adapter
