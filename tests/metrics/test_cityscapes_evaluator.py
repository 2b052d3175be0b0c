"""mIoU and label table against cityscapesScripts, the data set's own tools, on the same files."""

import numpy as np
import pytest
import torch
from PIL import Image

from deltadistill.data.label_table import label_ids_to_classes, table
from deltadistill.metrics.miou import ConfusionMatrix

labels = pytest.importorskip("cityscapesscripts.helpers.labels", reason="make install adds it")
evaluator = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")

CLASSES = table("cityscapes_19")
OFFICIAL = {label.trainId: label for label in labels.labels if not label.ignoreInEval}


def test_every_label_id_has_the_class_that_cityscapes_gives_it():
    to_class = label_ids_to_classes(CLASSES)
    assert [to_class[label.id] for label in labels.labels if label.id >= 0] == [
        255 if label.ignoreInEval else label.trainId for label in labels.labels if label.id >= 0
    ]
    assert [entry.name for entry in CLASSES] == [OFFICIAL[index].name for index in range(len(CLASSES))]
    assert [tuple(entry.color) for entry in CLASSES] == [OFFICIAL[index].color for index in range(19)]


@pytest.mark.parametrize("missing", [(), (6, 11)], ids=["all classes", "two never labelled"])
def test_scores_are_those_of_its_evaluator(tmp_path, monkeypatch, missing):
    rng, to_class, metric = np.random.default_rng(0), label_ids_to_classes(CLASSES), ConfusionMatrix(19)
    to_id = np.array([OFFICIAL[index].id for index in range(19)], np.uint8)
    files = {"truth": [], "prediction": []}
    for number in range(3):
        truth = rng.choice([i for i in range(34) if to_class[i] not in missing], (40, 56)).astype(np.uint8)
        right = np.where(to_class[truth] == 255, 0, to_class[truth])
        wrong = rng.choice([i for i in range(19) if i not in missing], truth.shape)
        predicted = np.where(rng.random(truth.shape) < 0.7, right, wrong)
        metric.update(torch.from_numpy(predicted), torch.from_numpy(to_class[truth]))
        for name, picture in (("truth", truth), ("prediction", to_id[predicted])):
            path = tmp_path / f"{name}_{number}.png"
            Image.fromarray(picture).save(path)
            files[name].append(str(path))
    for name in ("evalInstLevelScore", "JSONOutput"):
        monkeypatch.setattr(evaluator.args, name, False)
    monkeypatch.setattr(evaluator.args, "quiet", True)
    theirs = evaluator.evaluateImgLists(files["prediction"], files["truth"], evaluator.args)
    assert metric.miou() == pytest.approx(theirs["averageScoreClasses"], abs=1e-6)
    expected = [theirs["classScores"][entry.name] for entry in CLASSES]
    assert metric.iou().tolist() == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert 0.5 < metric.miou() < 0.9
