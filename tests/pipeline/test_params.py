"""params.yaml: what is refused, and with which words."""

import copy
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deltadistill.pipeline import params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def content():
    return YAML(typ="safe").load(ROOT / "params.yaml")


def changed(content, key, value):
    content = copy.deepcopy(content)
    section = content
    *path, last = key.split(".")
    for name in path:
        section = section[name]
    section[last] = value
    return content


def test_the_projects_own_parameters_are_valid():
    assert params.load(ROOT / "params.yaml").experiment == "street"


def test_every_value_has_a_comment():
    lines = (ROOT / "params.yaml").read_text().splitlines()
    bare = []
    for number, line in enumerate(lines):
        holds_value = ":" in line and not line.lstrip().startswith("#") and line.split(":", 1)[1].strip()
        if holds_value and "#" not in line:
            bare.append(f"{number + 1}: {line}")
    assert bare == []


def test_parsed_parameters_cannot_be_changed(content):
    with pytest.raises(ValueError, match="frozen"):
        params.parse(content).distill.steps = 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("distill.gama", 3, r"distill\.gama: unknown key"),
        ("distill.steps", "many", r"distill\.steps: .*integer.*'many'"),
        ("distill.steps", 0, r"distill\.steps: .*greater than or equal to 1.*0"),
        ("distill.students.rank", "in", r"distill\.students\.rank: .*'out' or 'min'.*'in'"),
        ("pretrain_teacher.augment.flip", 1, r"flip: .*boolean"),
        ("pretrain_teacher.augment.scale", [2.0, 1.0], "two rising numbers"),
        ("distill.search.freeze", 0.01, "gates would never act"),
        ("distill.clip_length", 9, "needs max_distance of at least 8"),
        ("distill.directions", "backward", r"directions: .*'forward' or 'both'.*'backward'"),
        ("distill.loss.task", "teacher", "set optimiser.learning_rate_teacher to 0"),
        ("prepare_dataset.kind", "coco", r"prepare_dataset\.kind: .*'generated', 'cityscapes', 'video'"),
        (
            "prepare_dataset.cityscapes.label_table",
            "ade20k",
            "cityscapes_19 or street_8, or the path of a CSV",
        ),
        ("prepare_dataset.masks.ignore", [256], "less than or equal to 255"),
        ("prepare_dataset.masks.train", [{"frames": "a"}], r"train\.0\.labels: missing"),
        ("prepare_dataset.generated_detection.visible", 1.5, "less than or equal to 1"),
        ("prepare_dataset.imagenet_vid.outside", "ignore", "'refuse' or 'clip'"),
        ("prepare_dataset.imagenet_vid.test", [], "at least 1 item"),
        ("prepare_dataset.coco_video.train", [{"annotations": "a.json"}], r"train\.0\.images: missing"),
        ("prepare_dataset.video.train_fraction", 0.95, "nothing to test on"),
        ("distill.search.target", {"cost": 0.3, "length": 3}, "0.333"),
        ("distill.search.target", {"cost": 0.5, "length": 1}, "greater than or equal to 2"),
        ("distill.search.delta_budget", 0.3, "exclude each other"),
        ("distill.trainings.delta", {"method": "delta", "changes": {"steps": 0}}, "delta.changes: steps"),
        (
            "distill.trainings.delta",
            {"method": "delta", "changes": {"trainings": {}}},
            "cannot hold trainings",
        ),
        ("distill.trainings.delta", {"method": "small"}, "options"),
        ("distill.search.chosen_by", "ranks", "is for students of kind linear that start from data"),
        ("distill.search.bounds", {"memory_mib": 0}, "greater than 0"),
        (
            "distill.trainings.delta",
            {
                "method": "delta",
                "changes": {
                    "search": {"chosen_by": "ranks", "target": None},
                    "students": {"initialisation": "data"},
                },
            },
            "chosen_by ranks needs a target",
        ),
        ("distill.motion", {"preset": "medium", "coarsest": 4}, "put it into the changes of such a training"),
        (
            "distill.trainings.delta",
            {
                "method": "delta",
                "changes": {"motion": {"preset": "fast", "coarsest": None}, "students": {"kind": "channel"}},
            },
            "motion is for method delta with students of kind linear",
        ),
        (
            "distill.trainings.delta",
            {"method": "delta", "changes": {"motion": {"preset": "medium", "coarsest": 0}}},
            "coarsest: .*greater than 0",
        ),
        (
            "variants.copy",
            {"network": "distill/small", "predict": "online"},
            "variants.copy learns online with 'distill/small': a network needs networks: {teacher",
        ),
        (
            "variants.copy",
            {
                "network": "distill/delta",
                "networks": {"teacher": "pretrain_teacher"},
                "predict": "online",
            },
            r"'distill/feature'\]\) has its own",
        ),
        ("distill.trainings.delta", {"method": "delta", "model": "jitnet"}, "model go with method small"),
        ("label_frames.threshold", 1.01, r"label_frames\.threshold: .*less than or equal to 1.*1\.01"),
        ("label_frames.threshold", -0.1, "greater than or equal to 0"),
        ("label_frames.kind", "keras", "'checkpoint', 'torchvision' or 'onnx'.*'keras'"),
        ("label_frames.architecture", "unet", "'fcn_resnet50'.*'unet'"),
        ("label_frames.classes", {"car": [-1]}, "greater than or equal to 0"),
        ("label_frames.folders", ["elsewhere"], "'labelled'.*'elsewhere'"),
        ("label_frames.distill", "labelled", "distill is to train on labelled/, which nothing makes"),
        ("prepare_dataset.cityscapes.labelled_frame", 30, "outside a snippet"),
        ("sweep_sequence_length.lengths", [3, 1], "must rise"),
        ("write_report.picture_lengths", [4], "not among"),
        ("sweep_sequence_length.lengths", [1, 3, 10, 17], "lengths asks for 17 frames in a row.*is 16"),
        ("distill.max_distance", 16, "max_distance asks for 17 frames in a row.*is 16"),
        ("pretrain_teacher.steps", 0, "nothing to keep"),
        ("pretrain_teacher.augment.scale", [0.01, 0.02], "between 0.1 and 10"),
        ("pretrain_teacher.loss.class_weights", [1.0, -1.0], "greater than or equal to 0"),
        ("distill.loss.alpha", float("inf"), r"distill\.loss\.alpha: .*finite"),
        ("variants.delta", {"network": "pretrain_teacher", "predict": "stream"}, "no students"),
        ("variants.delta", {"network": "pretrain_teacher", "predict": "moved_between"}, "no students"),
        ("variants.delta", {"network": "pretrain_teacher", "predict": "adaptive_width"}, "no students"),
        (
            "variants.delta",
            {"network": "pretrain_teacher", "predict": "checked_stream", "options": {"agreement": 0.9}},
            "no students",
        ),
        ("pretrain_teacher.schedule.drops", [0.7, 0.3], "must rise"),
        ("pretrain_teacher.schedule.drops", [1.0], "less than 1"),
        ("distill.schedule", {"name": "step", "power": 0.9, "drops": []}, "has no drops"),
        ("pretrain_teacher.ema_decay", 1.0, "less than 1"),
        ("distill.precision", "int8", "'float32', 'bfloat16' or 'float16'"),
        ("pretrain_teacher.batch_norm", "frozen", "there are no statistics to keep"),
        ("distill.loss.alpha_until", 0.0, "greater than 0"),
        ("seeds", [1, 1], "differ from one another"),
        ("seeds", [], "at least 1 item"),
        ("experiment", "My Street", "experiment: .*pattern"),
        ("variants.copy.network", "distill/none", "which nothing trains"),
        ("measure_latency.engines", ["tensorrt"], r"engines\.0: .*'tensorrt' is unknown; allowed: onnxrunt"),
        ("measure_latency.engines", [], r"measure_latency\.engines: .*at least 1 item"),
        ("measure_latency.threads", [0], r"measure_latency\.threads\.0.*greater than or equal to 1"),
        ("measure_latency.threads", 1, r"measure_latency\.threads: .*list"),
        ("measure_latency.batches", [1, 1], r"batches \[1, 1\]: each once"),
        ("measure_latency.precisions", ["fp8"], "'fp32', 'bf16' or 'int8'"),
        ("measure_latency.seconds", 0.0, "greater than 0"),
        ("variants.copy.networks", {"helper": "distill/none"}, r"copy\.networks\.helper is .*nothing trains"),
        ("evaluate_videos.variants", ["dleta"], "no such variants; there are teacher"),
        (
            "evaluate_videos.schedules",
            {"a": {"schedule": "sometimes", "options": {}}},
            "schedule of key frames",
        ),
        ("distill.variants", {}, r"distill\.variants: this is distill\.trainings now"),
        ("variants.copy.label", "Copy", r"this is write_report\.shown_as\.copy\.label now"),
    ],
)
def test_impossible_values_are_refused_with_key_value_and_what_is_allowed(content, key, value, message):
    with pytest.raises(ValueError, match=message):
        params.parse(changed(content, key, value))


def test_sequences_must_fit_into_generated_clips_with_boxes(content):
    content = changed(content, "prepare_dataset.kind", "generated_detection")
    content = changed(content, "prepare_dataset.generated_detection.frames", 5)
    with pytest.raises(ValueError, match=r"6 frames in a row, but .*generated_detection\.frames is 5"):
        params.parse(content)


@pytest.mark.parametrize(("alpha", "until"), [(0.0, 1.0), (0.3, 0.5)])
def test_without_task_loss_the_distillation_loss_must_last(content, alpha, until):
    content = changed(content, "distill.optimiser.learning_rate_teacher", 0.0)
    for key, value in {"alpha": alpha, "alpha_until": until, "task": "none"}.items():
        content = changed(content, f"distill.loss.{key}", value)
    with pytest.raises(ValueError, match="leave steps without any"):
        params.parse(content)


def test_a_small_network_cannot_keep_statistics_that_it_has_not(content):
    content = changed(content, "pretrain_teacher.start_from", "teacher.pt")
    content = changed(content, "pretrain_teacher.batch_norm", "frozen")
    with pytest.raises(ValueError, match=r"distill\.trainings\.small is trained from random weights"):
        params.parse(content)


def test_a_missing_key_is_named(content):
    del content["distill"]["loss"]["alpha"]
    with pytest.raises(ValueError, match=r"distill\.loss\.alpha: missing"):
        params.parse(content)


def test_all_faults_are_listed_together(content):
    content = changed(changed(content, "distill.steps", -1), "model.nam", "x")
    with pytest.raises(ValueError, match="2 wrong value") as caught:
        params.parse(content)
    assert "distill.steps" in str(caught.value)
    assert "model.nam" in str(caught.value)


def test_a_missing_teacher_row_is_refused(content):
    del content["variants"]["teacher"]
    with pytest.raises(ValueError, match=r"variants\.teacher is missing"):
        params.parse(content)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not valid YAML"), ("- 1", "expected sections"), ("", "expected sections")]
)
def test_broken_files_are_refused_by_name(tmp_path, text, message):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"broken\.yaml.*{message}"):
        params.load(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"none\.yaml: no such parameter file"):
        params.load(tmp_path / "none.yaml")
