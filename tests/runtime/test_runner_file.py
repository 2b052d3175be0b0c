"""Folders that come from anywhere: what is wrong with one is a sentence that names file and fault."""

import json
import shutil
from contextlib import suppress

import numpy as np
import pytest
import torch

import deltadistill as dd
from deltadistill.blocks.schedules import Adaptive, FixedPeriod, OnDemand
from deltadistill.runtime.runner_file import digest_of, read_description


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def change(copy, edit):
    content = json.loads((copy / "runner.json").read_text())
    edit(content)
    (copy / "runner.json").write_text(json.dumps(content))


def test_people_can_read_what_a_folder_is(folder):
    content = json.loads((folder / "runner.json").read_text())
    assert content["frame"] == {"name": "frame", "shape": [1, 3, 16, 24], "dtype": "float32"}
    assert content["schedule"] == {"period": 4}
    assert [each["name"] for each in content["maps"]] == ["0.c_0", "3.c_0", "5.c_0"]
    assert content["graphs"]["delta"]["sha256"] == digest_of(folder / "delta.onnx")
    assert {"deltadistill", "torch"} <= set(content["made_by"])


def test_a_schedule_by_change_that_is_exported_is_the_runners(network, clip, tmp_path):
    example, adaptive = torch.from_numpy(clip[0]), Adaptive(0.05, longest=6)
    dd.export(network, tmp_path / "runner", example=example, period=5, schedule=adaptive)
    content = json.loads((tmp_path / "runner" / "runner.json").read_text())
    assert content["schedule"] == {"period": 5, "adaptive": {"threshold": 0.05, "longest": 6}}
    runner = dd.Runner(tmp_path / "runner", engine="onnxruntime", threads=1)
    for frame in clip:
        due = adaptive.is_due(frame)
        adaptive.note(frame, is_key=due)
        runner(frame)
        assert runner.is_key_frame == due
    with pytest.raises(ValueError, match=r"a form for Adaptive and FixedPeriod, and none for OnDemand"):
        dd.export(network, tmp_path / "runner", example=example, schedule=OnDemand())
    dd.export(network, tmp_path / "runner", example=example, schedule=FixedPeriod(3))
    assert read_description(tmp_path / "runner").schedule.period == 3


def test_a_folder_without_a_description_is_said_to_be_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"runner.json is not there \(a folder without it\)"):
        read_description(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"\(no such folder\); expected the folder that dd.export wrote"
    ):
        dd.Runner(tmp_path / "nowhere")


def _set(path, value):
    def edit(content):
        *parents, last = path
        for each in parents:
            content = content[each]
        content[last] = value

    return edit


FAULTS = {
    "a threshold of nothing": (
        _set(["schedule"], {"period": 3, "adaptive": {"threshold": 0.0}}),
        "schedule.adaptive.threshold: Input should be greater than 0",
    ),
    "a schedule that is code": (
        _set(["schedule"], {"period": 3, "adaptive": "os:system"}),
        "schedule.adaptive: Input should be a valid dictionary",
    ),
    "a newer format": (_set(["format"], 2), "format: Input should be 1"),
    "an unknown key": (_set(["more"], 1), "more: Extra inputs are not permitted"),
    "a path that leaves the folder": (_set(["graphs", "key", "file"], "../key.onnx"), "no plain file name"),
    "an absolute path": (_set(["graphs", "key", "file"], "/etc/passwd"), "no plain file name"),
    "a folder as a file": (_set(["graphs", "key", "file"], ".."), "no plain file name"),
    "no such file": (_set(["graphs", "key", "file"], "other.onnx"), "'key', is not there as a plain file"),
    "a missing graph": (
        lambda content: content["graphs"].pop("delta"),
        "a file for each of frame, key, delta",
    ),
    "an endless shape": (_set(["maps", 0, "shape"], [2**31] * 8), "larger than any memory"),
    "an axis of no length": (_set(["sizes"], {"height": 0}), "sizes.height"),
    "axes of endless length": (
        lambda content: content.update(
            sizes={"height": 2**31, "width": 2**31},
            frame=content["frame"] | {"shape": [1, 3, "height", "width"]},
        ),
        "sizes make 'frame' of shape .* larger than any memory",
    ),
    "an empty side": (_set(["frame", "shape"], [1, 3, 0, 24]), "frame.shape.2"),
    "an unknown type": (_set(["frame", "dtype"], "complex64"), "frame.dtype"),
    "a name twice": (_set(["maps", 0, "name"], "output"), "must have names of their own"),
    "a period of none": (_set(["schedule", "period"], 0), "schedule.period"),
    "an output that is not there": (
        _set(["structure"], {"tensor": 3}),
        r"names the arrays \[3\] where there are 1",
    ),
    "a form of no kind": (
        _set(["structure"], {"set": [{"tensor": 0}]}),
        "expected one of tensor, list, tuple",
    ),
    "pictures of another size": (
        _set(
            ["pictures"],
            dd.PictureForm(size=(8, 8)).__dict__,
        ),
        "where pictures of size",
    ),
}


@pytest.mark.parametrize(("edit", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_place_and_what_to_do(copy, edit, message):
    change(copy, edit)
    with pytest.raises(ValueError, match=message) as caught:
        dd.Runner(copy)
    assert "copy" in str(caught.value)
    assert "export the network again" in str(caught.value)


def test_a_deeply_nested_form_is_refused(copy):
    structure = {"tensor": 0}
    for _ in range(30):
        structure = {"list": [structure]}
    change(copy, _set(["structure"], structure))
    with pytest.raises(ValueError, match="nested more than 20 deep"):
        dd.Runner(copy)


@pytest.mark.parametrize("name", ["frame.onnx", "key.onnx", "delta.onnx"])
def test_a_graph_that_was_cut_or_exchanged_is_noticed(copy, name):
    whole = (copy / name).read_bytes()
    for content in (b"", whole[:-7], whole[:100] + b"?" + whole[101:]):
        (copy / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}, the graph of .*, is not what was written"):
            dd.Runner(copy)


def test_a_link_in_place_of_a_graph_is_refused(copy, folder):
    (copy / "key.onnx").unlink()
    (copy / "key.onnx").symlink_to(folder / "key.onnx")
    with pytest.raises(ValueError, match="is not there as a plain file"):
        dd.Runner(copy)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_graph_that_is_none_is_said_by_the_engine(copy, engine, clip):
    pytest.importorskip(engine)
    for name in ("frame", "key", "delta"):
        (copy / f"{name}.onnx").write_bytes(b"this is no graph")
        change(copy, _set(["graphs", name, "sha256"], digest_of(copy / f"{name}.onnx")))
    with pytest.raises(ValueError, match=r"cannot (load|compile) .*onnx"):
        dd.Runner(copy, engine=engine)(clip[0])


@pytest.mark.parametrize("seed", range(60))
def test_bytes_changed_anywhere_in_the_description_never_give_more_than_a_named_error(copy, seed, clip):
    generator = np.random.default_rng(seed)
    content = bytearray((copy / "runner.json").read_bytes())
    for _ in range(generator.integers(1, 6)):
        content[generator.integers(len(content))] = generator.integers(256)
    if seed % 3 == 0:
        content = content[: generator.integers(len(content))]
    (copy / "runner.json").write_bytes(content)
    with suppress(ValueError):
        dd.Runner(copy, engine="onnxruntime")(clip[0])
