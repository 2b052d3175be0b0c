"""CLoCKDistill by hand: weights of places, errors of memories, and queries that ask both networks."""

import copy

import pytest
import torch
from data.small_box_dataset import make_box_manifest
from objectives.test_making_and_keeping import setting as of_pixels
from tasks.boxes_by_hand import detection, references
from tasks.test_set_prediction import detr
from training.test_detection_recipes import BOXES as CHOICE
from training.test_detection_recipes import toy

import deltadistill as dd
from deltadistill import models
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.data.frames import FrameStore
from deltadistill.objectives.consistent_queries import memory_errors, place_weights
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.per_frame_observation import PerFrameObservation
from deltadistill.objectives.setting import Setting, make_objective
from deltadistill.pipeline.recipe_by_method import train_network
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.tasks import of_dataset as tasks

FRAMES = torch.rand(2, 1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
BOXES = references([(0.0, 0.0, 16.0, 16.0, 1.0), (16.0, 8.0, 40.0, 30.0, 2.0)], [])


def test_weights_of_places_by_hand():
    """Boxes of 4 and 8 pixels: the place in both has ¼, that in the larger ⅛, which is ⅔ and ⅓ of 0.6."""
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 4.0, 2.0]])
    found = place_weights(boxes, (2, 2), (4, 4), near=0.6)
    assert found.flatten().tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2])


def test_a_box_that_no_centre_lies_in_has_the_nearest_place():
    found = place_weights(torch.tensor([[2.1, 3.2, 2.3, 3.4]]), (2, 2), (4, 4), near=0.7)
    assert found.flatten().tolist() == pytest.approx([0.1, 0.1, 0.1, 0.7])


def test_without_a_box_and_without_an_outside_all_weight_is_on_the_other():
    assert place_weights(torch.zeros(0, 4), (1, 2), (4, 4), near=0.7).tolist() == [[0.5, 0.5]]
    assert place_weights(torch.tensor([[0.0, 0.0, 4.0, 4.0]]), (1, 2), (4, 4), near=0.7).tolist() == [
        [0.5, 0.5]
    ]


def test_errors_of_memories_by_hand():
    """Squared errors 1 and 4 with weights 0.8 and 0.2, over a mean energy of (4 + 0) / 2."""
    memory, taught = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[2.0, 0.0]]]])
    found = memory_errors(memory, taught, torch.tensor([[[0.8, 0.2]]]))
    assert found.tolist() == pytest.approx([(0.8 * 1 + 0.2 * 4) / 2])


def of_two(student, teacher, **options):
    setting = Setting(student, FRAMES[:, 0], (32, 48), detection(3), teacher=teacher)
    return make_objective("consistent_queries", setting, options)


def seen(objective, student, teacher, rows=slice(None), boxes=BOXES):
    batch = {"clip": FRAMES[rows], "label": boxes[rows, None]}
    return PerFrameObservation(student, batch, FRAMES[rows], objective.taps, teacher=teacher)


def test_a_copy_has_no_loss_and_parts_add_up():
    teacher = detr()
    objective = of_two(copy.deepcopy(teacher), teacher)
    assert whole_loss(objective, copy.deepcopy(teacher), teacher).item() == pytest.approx(0, abs=1e-6)
    student = detr(encoder=2)
    of = objective.batch_extent([seen(objective, student, teacher)])
    assert of.tolist() == [2, 2]
    parts = [
        objective.loss(seen(objective, student, teacher, rows), of) for rows in (slice(0, 1), slice(1, 2))
    ]
    assert sum(parts).item() == pytest.approx(whole_loss(objective, student, teacher).item(), rel=1e-5)


def whole_loss(objective, student, teacher, boxes=BOXES):
    found = seen(objective, student, teacher, boxes=boxes)
    return objective.loss(found, objective.batch_extent([found]))


def test_encoder_and_decoder_learn_from_a_teacher_of_another_width():
    student, teacher = detr(width=8), detr()
    objective = of_two(student, teacher)
    torch.nn.init.normal_(student.locate[-1].weight)
    whole_loss(objective, student, teacher).backward()
    for module in (student.backbone, student.encoder, student.decoder, student.classify, student.locate):
        assert all(p.grad is not None for p in module.parameters())
    assert next(objective.maps.adapters[0].parameters()).grad is not None
    assert all(p.grad is None for p in teacher.parameters())


def test_rows_that_fill_up_labels_change_nothing():
    student, teacher = detr(decoder=2, encoder=2), detr(decoder=2)
    for parameter in student.decoder.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter)  # so that queries heed one another
    objective = of_two(student, teacher)
    wanted = whole_loss(objective, student, teacher).item()
    filled = torch.cat([BOXES, torch.full((2, 3, 5), -1.0)], 1)
    assert whole_loss(objective, student, teacher, filled).item() == pytest.approx(wanted, rel=1e-5)


def test_queries_are_a_term_of_their_own():
    student, teacher = detr(encoder=2), detr()
    alone = whole_loss(of_two(student, teacher, queries=0.0), student, teacher)
    once, twice = (whole_loss(of_two(student, teacher, queries=w), student, teacher) for w in (1.0, 2.0))
    assert once > alone
    assert (twice - alone).item() == pytest.approx(2 * (once - alone).item(), rel=1e-4)


def test_students_of_changes_learn_from_it():
    network = dd.convert(detr(), dd.LinearStudent(gamma=4, rank="min"), dd.inner_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    setting = Setting(network, FRAMES[:, 0], (32, 48), detection(3))
    objective = make_objective("consistent_queries", setting)
    clip = torch.cat([FRAMES, FRAMES.flip(0)], 1)
    batch = {"clip": clip, "label": torch.stack([BOXES, BOXES.flip(0)], 1)}
    found = Observation(network, batch, clip, objective.taps)
    objective.loss(found, objective.batch_extent([found])).backward()
    students = [p for block in delta_blocks(network).values() for p in block.compressed.parameters()]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in students if p.dim() > 1)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match=r"queries -1\.0 must be at least 0"):
        of_two(detr(), detr(), queries=-1.0)
    with pytest.raises(ValueError, match=r"near 1\.5 from 0 to 1"):
        of_two(detr(), detr(), near=1.5)
    with pytest.raises(ValueError, match="asks at the boxes of labels, and there are none"):
        make_objective("consistent_queries", of_pixels())
    with pytest.raises(ValueError, match=r"for detection transformers .* and Sequential is none"):
        of_two(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1)), detr())


SIZES = {"channels": 4, "width": 16, "heads": 2, "encoder": 1, "decoder": 1, "queries": 20}
CHOSEN = {"loss": {"objectives": {"consistent_queries": {"weight": 1.0}}}}
UNSEARCHED = {"search": {"target": {"cost": 0.95, "length": 3}}}


@pytest.mark.parametrize(
    "training",
    [
        {"method": "small", "options": {"encoder": 2}, "changes": CHOSEN},
        {"method": "delta", "changes": {"students": {"where": "inner_convolutions"}} | CHOSEN | UNSEARCHED},
    ],
)
def test_trainings_of_the_pipeline_learn_by_it(training, tmp_path):
    store = FrameStore(make_box_manifest(tmp_path))
    task, settings = tasks.build(store.manifest.info, boxes=CHOICE), toy(trainings={"clock": training})
    described = {"name": "detr", "classes": 2, "options": SIZES}
    torch.manual_seed(0)
    teacher, run = models.build("detr", classes=2, **SIZES).eval(), TrainingRun()
    trained, _ = train_network("clock", teacher, described, task, store, settings, seed=0, run=run)
    assert all(row["consistent_queries"] > 0 for row in trained.outcome.curve)
