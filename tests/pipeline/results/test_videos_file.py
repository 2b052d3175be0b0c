"""videos.json: what it has of windows, and that it reads back."""

import json
import math

from pydantic import TypeAdapter

from deltadistill.account.cost import Cost
from deltadistill.evaluation.windows import Window
from deltadistill.pipeline.results.files import plain
from deltadistill.pipeline.results.videos_file import ScheduleScore, WindowScore, score_of

FRAMES = {"miou": 80.0, "macs": 2e9, "milliseconds": 5.0, "bytes": 10, "key_frames": 0.25}


def found(**more):
    return score_of({**FRAMES, "curve": [FRAMES], "videos": {"a": FRAMES}, "worst": 10.0, **more}, 4e9)


def test_windows_are_in_percent_and_gmacs_and_read_back():
    windows = [
        Window(0.0, 300, 0.5, 0.25, Cost(macs=3e9, milliseconds=7.0), 1.5),
        Window(30.0, 9, math.nan, 0, Cost()),
    ]
    written = plain(made := found(windows={"a": windows}))
    assert made.windows["a"] == (
        WindowScore(0.0, 300, 50.0, 0.25, 1.5, 3.0, 7.0),
        WindowScore(30.0, 9, None, 0.0, 0.0, None, None),
    )
    assert TypeAdapter(ScheduleScore).validate_python(json.loads(json.dumps(written))) == made


def test_without_windows_the_file_has_no_word_of_them():
    written = plain(found(windows={}))
    assert "windows" not in written
    assert TypeAdapter(ScheduleScore).validate_python(written).windows == {}
