"""deltadistill run: from a runner and a video to another video and JSON lines."""

import argparse
import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import av
import numpy as np
import pytest
from preparation.small_videos import damage, drifting, grey, noise, sound_of, with_sound, write_video
from video.picture_server import camera

from deltadistill.command import running
from deltadistill.command.main import main
from deltadistill.command.opened_runner import OnVideo
from deltadistill.command.running import Targets, run_on
from deltadistill.video.adapter import Adapter
from deltadistill.video.json_lines import JsonLines
from deltadistill.video.key_needs import KeyNeeds
from deltadistill.video.source import Patience, open_source
from deltadistill.video.video_source import read_video
from deltadistill.video.writer import VideoWriter


class Counting:
    """Stands in for a runner: labels by brightness on every 4th frame, a key frame, kept for the others."""

    def __init__(self, *, fails_at=None, waits=None):
        self.calls, self.is_key_frame, self._due, self._kept = 0, True, 0, None
        self.fails_at, self.waits = fails_at, waits

    def refresh(self):
        self._due = 0

    def __call__(self, frame):
        assert (frame.dtype, frame.ndim) == (np.uint8, 4)
        if self.calls == self.fails_at:
            raise RuntimeError("the engine broke")
        if self.waits is not None:
            self.waits.wait(5)
        self.is_key_frame, self._due = self._due == 0, (self._due + 1) % 4
        if self.is_key_frame:
            self._kept = (frame.mean(-1) > 128).astype(np.int64)
        self.calls += 1
        return {"out": self._kept}


def on_video(runner=None, *, size=(16, 32), fit="stretch", **options):
    needs = KeyNeeds(scene_cut=options.pop("scene_cut", None))
    return OnVideo(runner or Counting(), size, fit, Adapter(), needs)


def ran(path, folder, *, runner=None, **options):
    """The result, the lines, and the frames of the written video."""
    with (
        closing(open_source(str(path))) as source,
        VideoWriter(folder / "out.mp4") as video,
        JsonLines(folder / "out.jsonl") as lines,
    ):
        ways = on_video(runner, scene_cut=options.pop("scene_cut", None))
        result = run_on(ways, source, Targets(video, lines), **options)
    told = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    return result, told, list(read_video(folder / "out.mp4", fewest=1))


def test_every_frame_is_told_and_drawn_at_its_own_time(tmp_path):
    times = [0, 1, 2, 5, 6, 7, 8, 9]  # a frame was dropped by the camera
    path = write_video(tmp_path / "film.mp4", drifting(8), times=times)
    result, told, frames = ran(path, tmp_path)
    assert result["frames"] == len(told) == len(frames) == 8
    assert [line["frame"] for line in told] == list(range(8))
    assert [line["seconds"] for line in told] == pytest.approx([n / 25 for n in times], abs=1e-4)
    assert [frame.seconds for frame in frames] == pytest.approx([n / 25 for n in times], abs=1e-4)
    assert [line["key"] for line in told] == [True, False, False, False] * 2
    assert frames[0].pixels.shape == (48, 64, 3)
    assert set(told[0]["shares"]) <= {"0", "1"}


def test_frames_a_second_times_seconds_are_the_frames(tmp_path):
    result, _, _ = ran(write_video(tmp_path / "film.mp4", drifting(30)), tmp_path)
    assert result["frames_per_second"] * result["seconds"] == pytest.approx(30)
    assert list(result["work_seconds"]) == [
        "reading",
        "preparing",
        "network",
        "decoding",
        "drawing",
        "writing",
    ]


def test_the_time_of_what_the_encoder_holds_back_counts(tmp_path):
    class Slow(VideoWriter):
        def close(self):
            if self.frames:
                time.sleep(0.2)
            super().close()

    path = write_video(tmp_path / "film.mp4", drifting(3))
    with closing(open_source(str(path))) as source, Slow(tmp_path / "out.mp4") as video:
        result = run_on(on_video(), source, Targets(video))
        assert len(list(read_video(tmp_path / "out.mp4"))) == 3
    assert result["seconds"] > result["work_seconds"]["writing"] >= 0.2


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.0123, 3), (0.94, 16), (9.96, 3), (54.1, 13), (98.7, 20_000), (7212.3, 1803)]
)
def test_frames_a_second_as_printed_times_seconds_as_printed_are_the_frames(seconds, frames):
    result = {"frames": frames, "key_frames": 1, "seconds": seconds, "dropped": 0}
    result["frames_per_second"] = frames / seconds
    said = running._summary(result, argparse.Namespace(output=None, jsonl=None))
    printed = [float(number) for number in re.findall(r"([\d.]+) (?:s:|frames a second)", said)]
    assert printed[0] * printed[1] == pytest.approx(frames, rel=0.05)


def test_a_damaged_film_is_run_to_its_end_says_what_was_bad_and_goes_on_with_a_key_frame(tmp_path):
    clean = write_video(tmp_path / "clean.mp4", drifting(48), gop=12)
    path = write_video(tmp_path / "film.mp4", drifting(48), gop=12)
    damage(path, 15)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    result, told, _ = ran(path, tmp_path / "a")
    _, whole, _ = ran(clean, tmp_path / "b")
    assert any("damaged frame" in note for note in result["notes"])
    forced = [line for line in told if line.get("forced") == "gap"]
    assert [line["key"] for line in forced] == [True] * len(forced)
    assert forced
    same = {line["frame"]: line["seconds"] for line in whole}
    assert all(line["seconds"] == pytest.approx(same[line["frame"]], abs=1e-3) for line in told)
    assert told[-1]["frame"] == 47


def test_with_one_packet_in_a_hundred_damaged_answers_are_those_of_the_clean_film_from_the_next_key_frame(
    tmp_path,
):
    clean, film = (write_video(tmp_path / name, drifting(200), gop=12) for name in ("a.mp4", "b.mp4"))
    damage(film, 29)
    damage(film, 135)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, lines, _ = ran(clean, tmp_path / "a")
    result, told, _ = ran(film, tmp_path / "b")
    whole = {line["frame"]: line for line in lines}
    assert [line["frame"] for line in told if line.get("forced")] == [36, 144]
    assert [line["frame"] for line in told] == [*range(29), *range(36, 135), *range(144, 200)]
    assert result["notes"] == ["16 damaged frames left out, 2 gaps: after frame 28, after frame 134"]
    for line in told:  # the clean run has its key frames at the same frames: every 4th, every 12th
        line.pop("forced", None)
        assert line == whole[line["frame"]]


def test_a_scene_cut_makes_a_key_frame(tmp_path):
    path = write_video(
        tmp_path / "film.mp4", [*drifting(6), *(255 - noise(1, (48, 64))[0] // 4 for _ in range(6))]
    )
    _, told, _ = ran(path, tmp_path, scene_cut=0.5)
    assert [line["frame"] for line in told if line.get("forced") == "scene cut"] == [6]
    assert told[6]["key"]


def test_no_more_frames_are_run_than_asked_for(tmp_path):
    runner = Counting()
    path = write_video(tmp_path / "film.mp4", drifting(40))
    result, told, frames = ran(path, tmp_path, runner=runner, max_frames=5)
    assert (result["frames"], len(told), len(frames), runner.calls) == (5, 5, 5, 5)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_reaches_the_caller_all_threads_end_and_the_files_play(tmp_path, error, monkeypatch):
    path = write_video(tmp_path / "film.mp4", drifting(30))
    if error is KeyboardInterrupt:
        monkeypatch.setattr(running, "_write", interrupting(running._write, at=10))
    runner = Counting(fails_at=10 if error is RuntimeError else None)
    with pytest.raises(error):
        ran(path, tmp_path, runner=runner)
    steps = {"reading", "preparing", "network", "decoding", "drawing"}
    assert not steps & {thread.name for thread in threading.enumerate()}
    told = (tmp_path / "out.jsonl").read_text().splitlines()
    assert len(told) == len(list(read_video(tmp_path / "out.mp4"))) == 10
    assert json.loads(told[-1])["frame"] == 9


def interrupting(write, *, at):
    """What Ctrl-C is when it comes between two frames."""
    count = iter(range(at + 1))

    def interrupted(*arguments):
        if next(count) == at:
            raise KeyboardInterrupt
        write(*arguments)

    return interrupted


def test_of_a_camera_that_is_faster_than_the_network_frames_are_dropped_and_late_ones_are_none(tmp_path):
    class Slow(Counting):
        def __call__(self, frame):
            threading.Event().wait(0.05)
            return super().__call__(frame)

    with camera(step=0.005) as there:
        patience = Patience(pauses=(0.05, 0.1), give_up=0.2)
        with closing(open_source(there.address, patience=patience)) as source:
            lines = JsonLines(tmp_path / "out.jsonl")
            result = run_on(on_video(Slow()), source, Targets(lines=lines), max_frames=20)
            lines.close()
        sent = there.sent
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert result["dropped"] > 20
    assert told[-1]["frame"] > 40
    assert sent - told[-1]["frame"] < 70  # a network's time is ten frames, and few wait for it
    assert any("frames dropped (oldest)" in note for note in result["notes"])


def test_folders_with_several_sizes_and_gaps_are_run(tmp_path):
    import cv2

    folder = tmp_path / "frames"
    folder.mkdir()
    for number, size in ((2, (32, 48)), (9, (32, 48)), (10, (48, 32)), (11, (48, 32))):
        cv2.imwrite(str(folder / f"frame_{number}.png"), np.full((*size, 3), 10 * number, np.uint8))
    result, told, frames = ran(folder, tmp_path)
    assert [line["frame"] for line in told] == [0, 7, 8, 9]
    assert [line.get("forced") for line in told] == [None, "gap", "size", None]
    assert {frame.pixels.shape for frame in frames} == {(32, 48, 3)}
    assert "2 frames of another size scaled to the first one's" in result["notes"]


def test_of_thousands_of_frames_a_dozen_are_held_at_a_time():
    alive = {"now": 0, "most": 0}

    class Endless:
        name, is_live, dropped, returns = "endless", False, 0, 0

        def frames(self):
            from deltadistill.video.video_frame import VideoFrame

            for number in range(2000):
                alive["made"] = number
                yield VideoFrame(grey(number % 250, (16, 32)), number / 25, False, number)

        def expected(self):
            return 2000

        def notes(self):
            return ()

        def close(self):
            pass

    class Watching(Counting):
        def __call__(self, frame):
            alive["most"] = max(alive["most"], alive["made"] - self.calls)
            return super().__call__(frame)

    assert run_on(on_video(Watching()), Endless(), Targets())["frames"] == 2000
    assert alive["most"] <= 12


# The command line, on a runner that was exported


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime", reason="an optional package")
    pytest.importorskip("onnxscript", reason="an optional package")
    import deltadistill as dd
    from deltadistill.exporting.export import export
    from deltadistill.runtime.picture_form import PictureForm

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 4, 1),
    ).eval()
    delta = dd.deploy(dd.convert(network, dd.LinearStudent(), dd.inner_convolutions))
    folder = tmp_path_factory.mktemp("runner") / "runner"
    form = PictureForm((16, 32), fit="letterbox")
    export(delta, folder, example=torch.zeros(1, 16, 32, 3, dtype=torch.uint8), period=3, pictures=form)
    return folder


def test_the_command_writes_both_files_and_prints_one_line(runner, tmp_path, capsys):
    path = write_video(tmp_path / "film.mp4", drifting(7))
    line = ["run", str(runner), str(path), "--engine", "onnxruntime", "-o", str(tmp_path / "out.mp4")]
    assert main([*line, "--jsonl", str(tmp_path / "out.jsonl")]) == 0
    assert "7 frames (3 key frames) in " in capsys.readouterr().out
    told = [json.loads(text) for text in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [entry["key"] for entry in told] == [True, False, False] * 2 + [True]
    assert sum(told[0]["shares"].values()) == pytest.approx(1, abs=1e-4)
    assert len(list(read_video(tmp_path / "out.mp4"))) == 7


def keys_of(runner, film, folder, *options):
    """The numbers of the key frames, by reason where they were forced."""
    lines = folder / "out.jsonl"
    line = ["run", str(runner), str(film), "--engine", "onnxruntime", "--jsonl", str(lines), *options]
    assert main(line) == 0
    told = [json.loads(text) for text in lines.read_text().splitlines()]
    assert not [line for line in told if line.get("forced") and not line["key"]]
    return {line["frame"]: line.get("forced") for line in told if line["key"]}


def test_key_frames_come_by_period_by_change_or_as_a_list_says(runner, tmp_path):
    levels = [60] * 4 + [64, 68, 72, 76, 80, 84] + [84] * 6  # 24 grey levels, a few at a time
    frames = [grey(level, (16, 32)) for level in levels]
    film = write_video(tmp_path / "film.mkv", frames, codec="ffv1", pixels="bgra")

    def keys(*options):
        return list(keys_of(runner, film, tmp_path, "--scene-cut", "0", *options))

    assert keys() == [0, 3, 6, 9, 12, 15]
    assert keys("--period", "7") == [0, 7, 14]
    adaptive = ("--schedule", "adaptive", "--schedule-option", "threshold=12")
    assert keys(*adaptive) == [0, 6, 9]
    assert keys(*adaptive, "--schedule-option", "longest=5") == [0, 5, 8, 13]
    assert keys("--schedule", "gaps", "--schedule-option", "lengths=[2, 5]") == [0, 2, 7, 9, 14]


def test_whatever_the_schedule_a_frame_that_does_not_go_on_is_a_key_frame(runner, tmp_path):
    on_demand = ("--schedule", "on_demand")
    times = [0, 1, 2, 3, 4, 15, 16, 17]
    late = write_video(tmp_path / "late.mp4", drifting(8), times=times)
    assert keys_of(runner, late, tmp_path, *on_demand) == {0: None, 5: "time"}
    other = [255 - noise(1, (48, 64))[0] // 4] * 4
    cut = write_video(tmp_path / "cut.mp4", [*drifting(6), *other])
    assert keys_of(runner, cut, tmp_path, *on_demand) == {0: None, 6: "scene cut"}
    parts = [write_video(tmp_path / f"{n}.ts", drifting(5, (n, 64)), codec="libx264") for n in (48, 96)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert list(keys_of(runner, joined, tmp_path, *on_demand).items())[:2] == [(0, None), (5, "size")]
    damaged = write_video(tmp_path / "damaged.mp4", drifting(36), gop=12)
    damage(damaged, 15)
    assert keys_of(runner, damaged, tmp_path, *on_demand) == {0: None, 24: "gap"}


def test_sound_comes_along_where_it_is_asked_for(runner, tmp_path):
    film = with_sound(tmp_path / "film.mp4", seconds=1.0)
    line = [
        "run",
        str(runner),
        str(film),
        "--engine",
        "onnxruntime",
        "-o",
        str(tmp_path / "out.mp4"),
        "--sound",
    ]
    assert main(line) == 0
    kind, begin, end = sound_of(tmp_path / "out.mp4")
    assert (kind, begin, end) == ("aac", pytest.approx(0, abs=0.15), pytest.approx(1, abs=0.15))


def test_bench_compares_end_to_end_and_per_part(runner, tmp_path, capsys):
    path = write_video(tmp_path / "film.mp4", drifting(12))
    line = ["bench", str(runner), str(path), "--engine", "onnxruntime", "--frames", "9", "--rounds", "2"]
    assert main([*line, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["frames"], result["key_frames"]) == (9, 3)
    parts = ["end to end", "reading", "preparing", "network", "decoding", "drawing", "writing"]
    assert {name: list(way) for name, way in result["ms_per_frame"].items()} == {
        "runner": parts,
        "per frame": parts,
    }
    assert all(ratio > 0 for ratio in result["speedup"].values())
    assert main(line) == 0
    assert "×" in capsys.readouterr().out


def test_an_adapter_beside_the_runner_is_used_and_one_that_is_named_instead(runner, tmp_path, capsys):
    path = write_video(tmp_path / "film.mp4", drifting(3))
    (runner / "adapter.yaml").write_text("decoder: labels\ncategories: [sky, road, car, tree]\n")
    line = ["run", str(runner), str(path), "--engine", "onnxruntime", "--jsonl", str(tmp_path / "out.jsonl")]
    try:
        assert main(line) == 0
        first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
        assert set(first["shares"]) <= {"sky", "road", "car", "tree"}
        assert main([*line, "--decoder", "tensors"]) == 0
        first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
        assert next(iter(first["tensors"].values()))["shape"] == [1, 4, 16, 32]
    finally:
        (runner / "adapter.yaml").unlink()


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (["{runner}", "none.mp4"], 2, "no video at none.mp4"),
        (["none/", "{film}"], 2, "runner.json is not there (no such folder)"),
        (["{runner}", "{film}", "-o", "out.webm"], 2, "out.webm: videos are written as .mp4"),
        (["{runner}", "{film}", "-o", "{film}"], 1, "is the video that is read; name another file to write"),
        (["{runner}", "{film}", "--sound"], 1, "--sound goes with -o"),
        (["{runner}", "{film}", "--sound", "-o", "out.mp4"], 2, "has no sound; leave --sound out"),
        (["{runner}", "{film}", "--schedule", "now"], 1, "schedule of key frames 'now' is unknown"),
        (["{runner}", "{film}", "--schedule", "adaptive"], 1, "missing a required argument: 'threshold'"),
        (["{runner}", "{film}", "--schedule", "gaps", "--period", "3"], 1, "give that alone"),
        (["{runner}", "{film}", "--schedule-option", "threshold=3"], 1, "goes with --schedule NAME"),
        (["{runner}", "{film}", "--decoder", "rings"], 2, "decoder 'rings' is unknown"),
        (["{runner}", "{film}", "--adapter", "none.yaml"], 2, "there is no adapter"),
        (["{runner}", "{film}", "-o", "{film}/out.mp4"], 3, "out.mp4 cannot be written: "),
        (["{runner}", "{film}", "--jsonl", "{film}/out.jsonl"], 3, "out.jsonl cannot be written: "),
        (["{runner}", "{film}", "-o", "/proc/out.mp4"], 3, "/proc/out.mp4 cannot be written: "),
        (["{runner}", "{film}", "--jsonl", "."], 3, ". cannot be written: Is a directory"),
        (["{runner}", "{sound}"], 2, "has no video stream"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(runner, tmp_path, monkeypatch, capsys, line, code, says):
    monkeypatch.chdir(tmp_path)
    film = write_video(tmp_path / "film.mp4", drifting(3))
    names = {"runner": str(runner), "film": str(film), "sound": str(only_sound(tmp_path / "sound.mp4"))}
    words = [word.format(**names) for word in line]
    assert main(["run", *words, "--engine", "onnxruntime"]) == code
    error = capsys.readouterr().err
    assert says in error
    assert len([text for text in error.splitlines() if text.startswith("deltadistill: ")]) == 1
    assert film.stat().st_size > 0


def only_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux([*stream.encode(frame), *stream.encode()])
    return path


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_ends_a_run_closes_its_files_so_that_they_play(runner, tmp_path, sign, code):
    lines = tmp_path / "out.jsonl"
    with camera() as there:
        command = [sys.executable, "-c", INTERRUPTIBLE, "run", str(runner), there.address]
        command += [
            "--engine",
            "onnxruntime",
            "-o",
            str(tmp_path / "out.mp4"),
            "--jsonl",
            str(lines),
            "--json",
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not (lines.exists() and len(lines.read_text().splitlines()) > 5):
            time.sleep(0.05)
        process.send_signal(sign)
        printed, error = process.communicate(timeout=60)
    assert process.returncode == code, error
    result = json.loads(printed)
    assert (result["interrupted"], result["exit"]) == (True, code)
    assert 5 <= result["frames"] <= len(lines.read_text().splitlines())
    assert "Traceback" not in error
    told = lines.read_text().splitlines()
    assert json.loads(told[-1])["frame"] >= 5
    shown = len(list(read_video(tmp_path / "out.mp4")))
    assert len(told) - 1 <= shown <= len(told)  # the frame that was under way may be told and not drawn yet


# What a shell starts in the background ignores Ctrl-C.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from deltadistill.command.main import script; script()"
)


def test_a_run_imports_no_torch(runner, tmp_path):
    path = write_video(tmp_path / "film.mp4", drifting(3))
    line = ["run", str(runner), str(path), "--engine", "onnxruntime", "-o", str(tmp_path / "out.mp4")]
    code = f"import sys; from deltadistill.command.main import main; print(main({line!r}), "
    code += "'torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "0 False"


def test_a_single_frame_is_a_video_too(tmp_path):
    result, told, frames = ran(write_video(tmp_path / "film.mp4", drifting(1)), tmp_path)
    assert (result["frames"], len(told), len(frames)) == (1, 1, 1)


def test_the_arguments_of_run_have_the_sources_own_defaults():
    from deltadistill.command.run import COMMAND

    parser = argparse.ArgumentParser()
    COMMAND.describe(parser)
    found = parser.parse_args(["runner", "film.mp4"])
    assert Patience(found.waiting, found.drop, found.give_up) == Patience()
