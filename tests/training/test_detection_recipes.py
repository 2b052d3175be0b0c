"""The trainings on boxes, at toy size, through the same recipes as those on label maps."""

import copy
from pathlib import Path

import pytest
import torch
from data.small_box_dataset import SIZE, make_box_manifest
from ruamel.yaml import YAML
from tasks.detectors import OPTIONS, make_sure, redraw_classes

from deltadistill import models
from deltadistill.account.macs import count_macs
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation import agreement
from deltadistill.evaluation.consistency import measure
from deltadistill.evaluation.frames import labelled_frames, per_frame_score, teacher_reference
from deltadistill.evaluation.positions import position_runs, score_positions, scores_by_length
from deltadistill.pipeline import params
from deltadistill.pipeline.recipe_of_distillation import distill
from deltadistill.pipeline.recipe_per_frame import finetune, train_per_frame
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.predictors import predictor as predictors
from deltadistill.processes.checkpoint import Checkpoint
from deltadistill.tasks import of_dataset as tasks
from deltadistill.training.passes import Passes

ROOT = Path(__file__).resolve().parents[2]
BOXES = {"min_score": 0.01, "max_iou": 0.5, "candidates": 200, "max_detections": 20, "shown_score": 0.3}


def toy(*, steps=2, learning_rate=0.003, **changes):
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    small = {"batch": 2, "augment": {"crop": list(SIZE), "scale": [1.0, 1.0], "flip": False}}
    content["pretrain_teacher"] |= small | {"steps": steps, "evaluate_every": steps}
    content["pretrain_teacher"]["optimiser"]["learning_rate"] = learning_rate
    content["distill"] |= small | {"steps": steps, "evaluate_every": steps, "max_distance": 2}
    content["distill"]["students"] |= {"where": "published_convolutions", "rank": "min"}
    content["distill"]["search"] |= {"target": {"cost": 0.8, "length": 3}}
    for section, values in changes.items():
        content["distill"][section] |= values
    return params.parse(content)


@pytest.fixture
def store(tmp_path):
    return FrameStore(make_box_manifest(tmp_path))


@pytest.fixture
def task(store):
    return tasks.build(store.manifest.info, boxes=BOXES)


@pytest.fixture(params=OPTIONS)
def name(request):
    return request.param


@pytest.fixture
def teacher(name):
    torch.manual_seed(0)
    return models.build(name, classes=2, **OPTIONS[name]).eval()


RATES = {"efficientdet_d0": 0.01, "faster_rcnn_r101": 0.003}
SURE = {"efficientdet_d0": 0.3, "faster_rcnn_r101": 0.15}  # scores after as few steps as here
METHODS = {
    "delta": {"predicts": "delta"},
    "feature": {"predicts": "feature"},
    "fgfi": {"predicts": "feature", "fgfi": True},
}


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


def test_students_are_distilled_to_a_network_within_the_target(method, store, task, teacher):
    settings = toy().distill
    trained = distill(teacher, task, store, settings, seed=0, run=TrainingRun(), **method)
    assert not any("adaptation" in name for name in trained.network.state_dict())
    table = count_macs(trained.network, (3, *SIZE))
    assert table.amortised(3) <= 0.8 * table.teacher
    assert {row["layer"] for row in trained.layers} == set(trained.architecture["blocks"])
    assert trained.outcome.curve[0]["task"] > 0


def test_a_batch_in_several_passes_is_distilled_as_in_one(method, store, task, teacher):
    losses = []
    for at_once in (None, 2):
        run = TrainingRun(passes=Passes(frames_at_once=at_once))
        trained = distill(teacher, task, store, toy().distill, seed=0, run=run, **method)
        losses.append(trained.outcome.curve[0]["distillation"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0] > 0


def test_an_interrupted_training_with_drawn_regions_resumes_to_the_same_result(store, task, tmp_path):
    class StopError(Exception):
        pass

    def stop(row):
        raise StopError

    def trained(steps, run):
        torch.manual_seed(0)
        network = models.build("faster_rcnn_r101", classes=2, **OPTIONS["faster_rcnn_r101"])
        settings = toy(steps=steps).pretrain_teacher.model_copy(update={"evaluate_every": 1})
        outcome = train_per_frame(network, task, store, settings, seed=0, run=run)
        return network.state_dict(), [row["loss"] for row in outcome.curve]

    checkpoint = Checkpoint(tmp_path / "checkpoint", minutes=0)  # due after every step
    calls = []
    with pytest.raises(StopError):
        trained(4, TrainingRun(checkpoint, lambda row: calls.append(row) or (len(calls) == 3 and stop(row))))
    assert checkpoint.load()["steps_done"] == 3  # written before the look that was broken off
    resumed, whole = trained(4, TrainingRun(checkpoint)), trained(4, TrainingRun())
    assert resumed[1] == whole[1]
    assert all(torch.equal(resumed[0][name], value) for name, value in whole[0].items())


def test_without_labels_the_later_frames_imitate_the_teacher(store, task, teacher):
    make_sure(teacher, -0.5)  # so that it finds something
    changes = {"loss": {"task": "teacher"}, "optimiser": {"learning_rate_teacher": 0.0}}
    settings = toy(**changes).distill
    trained = distill(teacher, task, store, settings, predicts="delta", seed=0, run=TrainingRun())
    assert trained.outcome.curve[0]["task"] > 0
    name, weight = next(iter(teacher.backbone.named_parameters()))  # the first convolution, not converted
    assert torch.equal(weight, trained.network.backbone.get_parameter(name))


def test_a_teacher_that_finds_nothing_cannot_stand_for_annotations(store, task, teacher):
    make_sure(teacher, -9.0)
    changes = {"loss": {"task": "teacher"}, "optimiser": {"learning_rate_teacher": 0.0}}
    with pytest.raises(ValueError, match=r"the tune split gives no score: .*finds nothing"):
        distill(teacher, task, store, toy(**changes).distill, predicts="delta", seed=0, run=TrainingRun())


def test_finetuning_leaves_the_teacher_as_it_is(store, task, teacher):
    before = copy.deepcopy(teacher.state_dict())
    finetune(teacher, task, store, toy().distill, seed=0, run=TrainingRun())
    assert all(torch.equal(teacher.state_dict()[name], value) for name, value in before.items())


def test_a_cheaper_network_learns_the_teachers_output_as_well(store, task, teacher):
    losses = {}
    for imitated in (None, teacher):
        small = copy.deepcopy(teacher)
        torch.manual_seed(1)
        redraw_classes(small)
        outcome = train_per_frame(
            small, task, store, toy().pretrain_teacher, seed=0, run=TrainingRun(), teacher=imitated
        )
        losses[imitated] = outcome.curve[0]["loss"]
    assert losses[teacher] > losses[None]


def test_a_detector_learns_to_find_the_square_and_is_scored_at_every_position(store, task, teacher, name):
    settings = toy(steps=140, learning_rate=RATES[name]).pretrain_teacher
    train_per_frame(teacher, task, store, settings, seed=0, run=TrainingRun())
    train = labelled_frames(store, "train")
    score = task.score(per_frame_score(teacher, task, store, train, task.reference(store)))
    assert score > 0.5

    clips = store.manifest.clips("train")
    runs = position_runs(clips, 2, counts=store.is_annotated)
    scores = {}
    for predict in ("per_frame", "copy"):
        predictor = predictors.build(predict, teacher, task)
        metrics = score_positions(predictor, task, store, runs, task.reference(store), longest=2, batch=3)
        scores[predict] = scores_by_length(task, metrics, [1, 2], store.classes)
    per_frame, copied = scores["per_frame"][2], scores["copy"][2]
    assert per_frame["map50_per_distance"][0] == per_frame["map50_per_distance"][1]
    assert copied["map50_per_distance"][0] == per_frame["map50"]
    assert copied["map"] < per_frame["map"]  # 6 of 32 pixels behind
    assert set(copied["ap50"]) == {"red", "green"}
    assert copied["map50_slow"] is None  # IoU with the frame before: 26 / 38
    assert copied["map50_fast"] == pytest.approx(copied["map50"], rel=1e-12)  # a mean in another order

    along = agreement.build(store, clips, task, dis_preset="fast", min_score=SURE[name])
    streams = {T: predictors.build(p, teacher, task) for T, p in ((1, "per_frame"), (3, "copy"))}
    steady = measure(streams, store, clips, along, batch=2)
    assert steady[1]["tracks"]["all"]["coverage"] > 50
    assert steady[1]["tracks"]["all"]["consistency"] > steady[3]["tracks"]["all"]["consistency"]


def test_fidelity_to_the_teacher_itself_is_perfect(store, task, teacher):
    make_sure(teacher, -0.5)
    frames = labelled_frames(store, "test")
    metric = per_frame_score(teacher, task, store, frames, teacher_reference(teacher, task, store), batch=1)
    assert task.score(metric) == pytest.approx(1)
