import json
import runpy
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deltadistill.data.manifest import Manifest

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the stage with the project's params.yaml, its section prepare_dataset changed."""
    monkeypatch.setenv("DELTADISTILL_TRACKING", "off")
    monkeypatch.chdir(tmp_path)

    def call(kind, changes):
        params = YAML(typ="safe").load(PROJECT / "params.yaml")
        params["prepare_dataset"]["kind"] = kind
        params["prepare_dataset"][kind] |= changes
        params["distill"]["max_distance"] = 3  # the toy clips are short
        params["sweep_sequence_length"]["lengths"] = [1, 3]
        params["write_report"]["picture_lengths"] = [3]
        YAML().dump(params, tmp_path / "params.yaml")
        monkeypatch.setattr(
            sys,
            "argv",
            ["stage", "--params", "params.yaml", "--data", "data/toy", "--results", "results/toy"],
        )
        runpy.run_path(str(PROJECT / "stages/prepare_dataset.py"), run_name="__main__")
        return Manifest.read(tmp_path / "data/toy/manifest.csv")

    return call


TOY = {
    "train_clips": 2,
    "tune_clips": 1,
    "test_clips": 1,
    "frames": 4,
    "height": 32,
    "width": 64,
    "workers": 1,
}


def test_generated_clips_become_a_data_set(run, tmp_path):
    manifest = run("generated", TOY)
    assert manifest.counts()["frames"] == {"train": 8, "tune": 4, "test": 4}
    assert manifest.info.flow == "exact"
    results = tmp_path / "results/toy"
    assert {path.name for path in results.iterdir()} == {
        "contact_sheet.png",
        "dataset.json",
        "provenance.json",
    }
    assert json.loads((results / "dataset.json").read_text())["kind"] == "generated"


def test_videos_of_minutes_stand_in_the_place_of_the_clips_of_their_split(run):
    mast = {"camera": "fixed", "frames": 6, "labelled_every": 4}
    drive = {"camera": "driving", "frames": 5, "split": "train", "videos": 2}
    streams = {"mast": mast, "drive": drive}
    manifest = run("generated", TOY | {"streams": streams})
    assert list(manifest.clips("train")) == ["drive_000", "drive_001"]
    assert manifest.counts()["frames"] == {"train": 10, "tune": 4, "test": 6}
    assert [frame.index for frame in manifest.clips("test")["mast_000"] if frame.label] == [3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labelled_every": 7}, "leaves none of 6 frames a label"),
        ({"split": "tune"}, "'train' or 'test'"),
        ({"camera": "flying"}, "camera"),
    ],
)
def test_a_video_of_minutes_that_cannot_be_is_refused(run, capsys, changes, said):
    mast = {"camera": "fixed", "frames": 6}
    with pytest.raises(SystemExit):
        run("generated", TOY | {"streams": {"mast": mast | changes}})
    assert said in capsys.readouterr().err


def test_a_second_run_replaces_the_first(run, tmp_path):
    run("generated", TOY)
    run("generated", TOY | {"train_clips": 1})
    images = list((tmp_path / "data/toy/leftImg8bit_sequence/train").rglob("*.png"))
    assert len(images) == 4


def test_a_failed_run_says_why_and_leaves_nothing(run, tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        run("cityscapes", {"root": str(tmp_path / "nothing")})
    assert "no folder of a city" in capsys.readouterr().err
    assert not (tmp_path / "data/toy").exists()
    assert not (tmp_path / "results/toy/provenance.json").exists()


def test_a_folder_in_the_layout_of_cityscapes_is_described_in_place(run, tmp_path):
    from deltadistill.preparation.street.dataset import write_street

    size = {"frames": 3, "height": 32, "width": 64, "seed": 0, "noise": 0.0}
    write_street(tmp_path / "real", {"train": 1, "tune": 1, "test": 1}, **size, workers=1)
    changes = {"root": "real", "label_table": "street_8", "tune": ["tune"], "test": ["test"]}
    for path in (tmp_path / "real/gtFine").rglob("*_gtFine_labelIds.png"):
        if "_000001_gtFine" not in path.name:
            path.unlink()
    manifest = run("cityscapes", changes | {"frames_per_snippet": 3, "labelled_frame": 1})
    assert [frame.index for frame in manifest.frames if frame.label] == [1, 1, 1]
    assert manifest.frames[0].image.is_relative_to(tmp_path / "real")
    assert not list((tmp_path / "data/toy").rglob("*.png"))


def test_folders_of_frames_and_label_images_are_described_in_place(run, tmp_path, monkeypatch):
    import cv2
    import numpy as np

    for split, clip in (("train", "a"), ("train", "b"), ("test", "c")):
        for kind, shape in (("frames", (32, 48, 3)), ("labels", (32, 48))):
            (tmp_path / "own" / split / kind / clip).mkdir(parents=True)
            for index in range(4):
                path = tmp_path / "own" / split / kind / clip / f"{index}.png"
                cv2.imwrite(str(path), np.full(shape, 3, np.uint8))
    (tmp_path / "own.csv").write_text("id,name,color\n3,floor,\n9,robot,#ff0000\n")
    folders = {s: [{"frames": f"own/{s}/frames", "labels": f"own/{s}/labels"}] for s in ("train", "test")}
    folders["test"][0]["labels"] = "~/own/test/labels"
    monkeypatch.setenv("HOME", str(tmp_path))
    manifest = run("masks", folders | {"label_table": "own.csv"})
    assert manifest.counts()["labelled"] == {"train": 4, "tune": 4, "test": 4}
    assert [(entry.name, entry.label_ids) for entry in manifest.info.classes] == [
        ("floor", (3,)),
        ("robot", (9,)),
    ]
    assert manifest.frames[0].image == tmp_path / "own/train/frames/a/0.png"


def test_faults_of_label_images_end_the_stage_in_a_list(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run("masks", {"train": [{"frames": "none", "labels": "none"}], "label_table": "street_8"})
    assert "no folder of a clip in" in capsys.readouterr().err
    assert not (tmp_path / "data/toy").exists()


def test_a_folder_of_frames_becomes_a_data_set(run, tmp_path):
    from deltadistill.preparation.stored_png import write_png
    from deltadistill.preparation.street.clip import render_clip

    (tmp_path / "ride").mkdir()
    for index, frame in enumerate(render_clip((0, 0, 0), frames=16, height=32, width=64, noise=0)):
        write_png(tmp_path / f"ride/{index:03d}.png", frame.image)
    manifest = run("video", {"paths": ["ride"], "height": 32, "width": 64, "min_frames": 3})
    assert sum(manifest.counts()["frames"].values()) == 16
    assert manifest.counts()["labelled"]["test"] == 0
    assert len(manifest.info.classes) == 8


def test_a_folder_numbered_by_times_is_cut_where_one_is_far_above_the_others_or_lost(
    run, tmp_path, monkeypatch
):
    from deltadistill.preparation.stored_png import write_png
    from deltadistill.preparation.street.clip import render_clip

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ride").mkdir()
    for index, frame in enumerate(render_clip((0, 0, 0), frames=16, height=32, width=64, noise=0)):
        write_png(tmp_path / f"ride/{980 + 40 * index + 110 * (index > 3)}.png", frame.image)
    (tmp_path / "ride/1410.png").write_bytes(b"")  # the ninth
    values = {
        "paths": ["~/ride"], "height": 32, "width": 64, "min_frames": 3,
        "damaged": "skip", "folder_numbers": "milliseconds", "max_step": 3.5,
    }  # fmt: skip
    manifest = run("video", values)
    clips = {
        name: frames for split in ("train", "tune", "test") for name, frames in manifest.clips(split).items()
    }
    pieces = {name.split("_part")[0]: frames for name, frames in clips.items()}
    assert sorted(pieces) == [f"ride_shot_00_piece_0{number}" for number in range(3)]
    assert [frames[0].seconds for _, frames in sorted(pieces.items())][:2] == [0.0, 0.27]
    [facts] = json.loads((tmp_path / "results/toy/dataset.json").read_text())["videos"]
    assert (facts["damaged"], facts["frames_per_second"]) == (1, 25.0)
    assert "1 gap in time, median step 0.040 s: 0.15 s" in facts["notes"]


DETECTION = {
    "train_clips": 2, "tune_clips": 1, "test_clips": 1, "stills": 2, "frames": 4, "height": 32, "width": 64,
    "workers": 1, "class_table": str(PROJECT / "class_tables/street_boxes.csv"),
}  # fmt: skip


def test_generated_clips_with_boxes_become_a_data_set(run, tmp_path):
    manifest = run("generated_detection", DETECTION)
    assert manifest.counts()["labelled"]["test"] == 4
    assert [entry.name for entry in manifest.info.classes] == ["car", "person", "pole", "sign"]
    written = {path.name for path in (tmp_path / "data/toy/annotations").iterdir()}
    assert {"train.json", "tune.json", "test.json"} <= written
    facts = json.loads((tmp_path / "results/toy/dataset.json").read_text())
    assert (facts["kind"], facts["fit"]) == ("generated_detection", "letterbox")


def test_imagenet_and_json_are_described_in_place(run, tmp_path):
    generated = run("generated_detection", DETECTION)
    (tmp_path / "data/toy").rename(tmp_path / "real")
    changes = {
        "root": "real",
        "class_table": DETECTION["class_table"],
        "workers": 1,
        "height": 64,
        "width": 64,
    }
    vid = run("imagenet_vid", changes | {"tune_every": 2})
    assert vid.counts()["frames"] == {
        "train": generated.counts()["frames"]["train"] - 4,
        "tune": 4,
        "test": 4,
    }
    assert vid.frames[0].image.is_relative_to(tmp_path / "real")
    assert not list((tmp_path / "data/toy").rglob("*.JPEG"))
    files = {
        split: [{"annotations": f"real/annotations/{split}.json", "images": "real"}]
        for split in ("train", "test")
    }
    coco = run("coco_video", files | {"height": 64, "width": 64, "tune_every": 2})
    assert coco.counts()["frames"] == {"train": 4, "tune": 4, "test": 4}


def test_a_faulty_detection_set_leaves_nothing(run, tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        run("imagenet_vid", {"root": "nothing", "class_table": DETECTION["class_table"]})
    assert "ImageSets/VID/train.txt nor a list" in capsys.readouterr().err
    assert not (tmp_path / "data/toy").exists()
