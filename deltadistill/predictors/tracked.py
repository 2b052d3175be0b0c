"""The tracked predictor: a detector on key frames, and a tracker that says where its boxes are between."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import nn

from deltadistill.account.cost import NOTHING, FrameCosts
from deltadistill.data.boxes import Detections
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


@dataclass(frozen=True)
class TrackerSettings:
    """Of ByteTrack (Zhang et al., ECCV 2022), with its published values.

    high_score: detections from this score on are associated first, and begin tracks. low_score: those below
    are not shown to the tracker. min_iou: of a detection with where its track is expected. lost_frames: a
    track that so many frames have not found is forgotten.
    """

    high_score: float = 0.5
    low_score: float = 0.1
    min_iou: float = 0.2
    lost_frames: int = 30

    def __post_init__(self) -> None:
        if not 0 <= self.low_score <= self.high_score <= 1:
            raise ValueError(
                f"low_score {self.low_score} and high_score {self.high_score}: expected 0 <= low <= high <= 1"
            )
        if not 0 < self.min_iou < 1:
            raise ValueError(f"min_iou {self.min_iou}: expected between 0 and 1")
        if self.lost_frames < 1:
            raise ValueError(f"lost_frames {self.lost_frames}: expected at least 1")


class StreamTracks:
    """One stream's tracks, a tracker for each class, so that no box follows one of another class."""

    def __init__(self, settings: TrackerSettings):
        self._settings = settings
        self._trackers: dict[int, Any] = {}
        self._frame = 0
        self._tracks: list[str | None] = []  # of the last detections

    def detected(self, found: Detections) -> None:
        """Associate the detections of the next frame, on which the detector has run."""
        self._found, self._tracks = found, [None] * len(found)
        shown = found.scores >= self._settings.low_score
        for each in {*self._trackers, *found.classes[shown].tolist()}:
            self._associate(each, np.flatnonzero(shown & (found.classes == each)))
        self._frame += 1

    def moved(self) -> Detections:
        """Those detections in the next frame, on which none ran; one without a track stays where it was."""
        for each in self._trackers:
            self._associate(each, np.empty(0, np.int64))
        self._frame += 1
        places = {
            track.info.uuid: track.info.tracked_location
            for tracker in self._trackers.values()
            for track in tracker.get_active_tracks()
        }
        boxes = [
            box if track is None else places.get(track, box)
            for track, box in zip(self._tracks, self._found.boxes, strict=True)
        ]
        return Detections(np.array(boxes), self._found.scores, self._found.classes)

    def _associate(self, kind: int, rows: np.ndarray) -> None:
        if kind not in self._trackers:
            self._trackers[kind] = byte_track(self._settings)
        found = self._trackers[kind].update(
            self._found.boxes[rows], self._found.scores[rows], np.full(len(rows), kind, np.uintp), self._frame
        )
        for row, track in zip(rows, found, strict=True):
            self._tracks[row] = None if track is None else track.uuid


class Tracked(Predictor):
    """Detects on key frames; between, every box is where its track's Kalman filter expects it.

    high_score, low_score, min_iou, lost_frames: as of TrackerSettings. A track has a speed after two key
    frames: in a stream with one key frame alone this is the predictor `copy`. Needs the package
    edgefirst-tracker (extra `tracking`).
    """

    works_on_predictions = True

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        high_score: float = 0.5,
        low_score: float = 0.1,
        min_iou: float = 0.2,
        lost_frames: int = 30,
    ):
        self._network = network
        self._device = device_of(network)
        self._task = task
        self._settings = TrackerSettings(high_score, low_score, min_iou, lost_frames)
        byte_track(self._settings)  # says what is missing before anything runs

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule = stream.schedule
        self._streams = [StreamTracks(self._settings) for _ in range(stream.streams)]

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        self.is_key_frame = self._schedule.is_due(frame.pictures)
        answers = self._detected(frame) if self.is_key_frame else [each.moved() for each in self._streams]
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        return answers

    def _detected(self, frame: FrameBatch) -> Predictions:
        output = frame_outputs(self._network, frame.normalised.to(self._device))
        found = on_processor(self._task.predict(output, network=self._network))
        for tracks, each in zip(self._streams, found, strict=True):
            if not isinstance(each, Detections):
                raise ValueError(
                    f"a tracker follows boxes; the task predicts {type(each).__name__}; predict: moved moves "
                    "labels and maps"
                )
            tracks.detected(each)
        return found

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Between key frames some thousands of MACs for each box, which count in milliseconds alone."""
        return FrameCosts(key=networks[MAIN].key, delta=NOTHING)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """See `Predictor`."""
        TrackerSettings(**options)


def byte_track(settings: TrackerSettings) -> Any:
    """Make a tracker whose time is counted in frames; ImportError where its package is not installed.

    Its filter takes a detection as Kalman's gain has it: by default the package takes a quarter of that.
    """
    try:
        tracker = import_module("edgefirst.tracker")
    except ModuleNotFoundError as error:
        raise ImportError(
            "predict: tracked needs the package edgefirst-tracker, which is not installed; install it with: "
            "pip install 'deltadistill[tracking]'"
        ) from error
    return tracker.ByteTrack(
        high_conf=settings.high_score, iou=settings.min_iou, update=1.0, lifespan_ns=settings.lost_frames
    )
