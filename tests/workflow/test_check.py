"""The check before an experiment: what it finds missing, what it makes smaller, what it leaves alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from check import trial
from check.estimates import Sizes, disk, memory, sizes
from check.excerpt import excerpt
from check.findings import Finding, conclusion
from check.looks import look_at_data, look_at_disk, look_at_labeller, look_at_parameters, look_at_weights
from check.trial_parameters import clip_frames, trial_parameters
from check_experiment import check, experiment_values
from data.small_box_dataset import make_box_manifest
from data.small_dataset import make_manifest
from workflow.layouts import make_cityscapes

from deltadistill import models
from deltadistill.pipeline import params
from deltadistill.pipeline.params import NO_WEIGHTS, OWN_WEIGHTS

ROOT = Path(__file__).resolve().parents[2]
NAME = "cityscapes_ddrnet23_slim"
MIB = 2**20


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def values_of(*changes):
    return experiment_values(NAME, list(changes))


def parsed(*changes):
    return params.parse(values_of(*changes))


def with_start(path):
    return parsed(f"pretrain_teacher.start_from={path}")


def test_an_unknown_experiment_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"none\.yaml: no such experiment; there are: .*search"):
        experiment_values("none", [])


def test_data_that_are_not_there_end_the_check_and_are_named(tmp_path):
    values = values_of(f"prepare_dataset.cityscapes.root={tmp_path}")
    findings = list(check(NAME, values))
    assert [finding.what for finding in findings] == ["parameters", "data"]
    assert "no folder of a city in" in findings[1].todo
    assert str(tmp_path) in findings[1].needed


def test_a_truncated_picture_is_named(tmp_path):
    root = make_cityscapes(tmp_path / "city", height=32, width=32)
    broken = next(root.glob("leftImg8bit_sequence/val/*/*_000019_leftImg8bit.png"))
    broken.write_bytes(broken.read_bytes()[:-12])
    finding, manifest = look_at_data(parsed(f"prepare_dataset.cityscapes.root={root}"), tmp_path / "out")
    assert manifest is None
    assert f"{broken} is truncated" in finding.todo


def test_parameters_that_cannot_work_are_found(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text().replace("ddrnet23_slim", "ddrnet32"))
    assert "unknown model 'ddrnet32'" in look_at_parameters(path).todo


def test_weights_are_compared_by_name_and_shape(tmp_path):
    network = models.build("ddrnet23_slim", classes=19)
    torch.save(network.state_dict(), tmp_path / "whole.pth")
    backbone = {n: t for n, t in network.state_dict().items() if not n.startswith("final_layer.")}
    torch.save(backbone, tmp_path / "backbone.pth")
    torch.save(models.build("ddrnet23", classes=19).state_dict(), tmp_path / "other.pth")
    assert look_at_weights(with_start(tmp_path / "whole.pth"), 19).found.endswith("0 unused")
    half = look_at_weights(with_start(tmp_path / "backbone.pth"), 19)
    assert half.is_fine
    assert "random stay final_layer." in half.found
    assert "do not fit the network" in look_at_weights(with_start(tmp_path / "other.pth"), 19).todo
    assert "no such file of weights" in look_at_weights(with_start(tmp_path / "none.pth"), 19).todo
    kept = parsed(f"pretrain_teacher.start_from={tmp_path / 'backbone.pth'}", "pretrain_teacher.steps=0")
    assert "missing: final_layer." in look_at_weights(kept, 19).todo
    assert look_at_weights(with_start(NO_WEIGHTS), 19).is_fine
    own = look_at_weights(with_start(OWN_WEIGHTS), 19)
    assert own.is_fine
    assert "comes with" in own.found


def test_a_labeller_is_looked_for_where_frames_are_to_be_labelled():
    assert list(look_at_labeller(parsed())) == []
    asked = parsed("label_frames.folders=[labelled]", "label_frames.network=weights/none.onnx")
    (finding,) = look_at_labeller(asked)
    assert finding.needed == "weights/none.onnx"
    assert not finding.is_fine


def test_sizes_are_those_of_the_network_and_its_layers():
    found = sizes(parsed(), 19)
    network = models.build("ddrnet23_slim", classes=19)
    assert found.weights == sum(tensor.numel() for tensor in network.state_dict().values())
    assert found.delta_weights > 2 * found.weights  # two candidates beside each teacher
    counted = []
    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda layer, inputs, output: counted.append(output.numel()))
    network.eval()(torch.zeros(1, 3, 256, 512))  # a quarter of the crop
    assert found.values == pytest.approx(4 * sum(counted), rel=1e-3)


def test_memory_is_weights_and_maps_of_a_process():
    """One GPU of four has 3 of 12 crops; SGD keeps weights, gradients and momentum."""
    small = Sizes(weights=MIB, delta_weights=3 * MIB, values=10 * MIB)
    needed = memory(parsed(), small, 4)
    assert needed["pretrain_teacher"] == (3 + 3 * 10) * 4 * MIB
    assert needed["distill"] == pytest.approx((3 * 3 + 1.6 * 10 * 10) * 4 * MIB)  # 5 pairs of 20
    assert memory(parsed("training.frames_at_once=2"), small, 4)["pretrain_teacher"] == (3 + 20) * 4 * MIB
    halved = memory(parsed("pretrain_teacher.precision=bfloat16"), small, 4)
    assert halved["pretrain_teacher"] == (3 * 4 + 3 * 10 * 2) * MIB
    averaged = memory(parsed("pretrain_teacher.ema_decay=0.9"), small, 4)
    assert averaged["pretrain_teacher"] == (4 + 3 * 10) * 4 * MIB
    assert memory(parsed(), Sizes(1, 1, None), 4) == {}


def test_disk_is_checkpoints_networks_and_boxes():
    """Three checkpoints of weights, best and momentum; a teacher and a delta network four times each."""
    small = Sizes(weights=MIB, delta_weights=2 * MIB, values=None)
    expected = 3 * 3 * 2 * 4 * MIB + 4 * (1 + 2) * 4 * MIB + 200 * MIB
    assert disk(parsed(), small, 0) == expected
    assert disk(parsed(), small, 1000) == expected + 1000 * 900
    full = Sizes(weights=10**15, delta_weights=10**15, values=None)
    assert "free on the disk" in look_at_disk(parsed(), full, None).todo


def test_on_gpus_a_process_takes_its_share_of_the_configured_batch():
    values = values_of("pretrain_teacher.start_from=weights.pth")
    trial, said = trial_parameters(values, start_from="/weights.pth", gpus=4)
    assert (trial["pretrain_teacher"]["batch"], trial["distill"]["batch"]) == (3, 5)
    assert trial["pretrain_teacher"]["augment"]["crop"] == [512, 1024]
    assert said == ["batch 3 of 12", "batch 5 of 20"]
    assert (trial["pretrain_teacher"]["steps"], trial["distill"]["steps"]) == (2, 2)
    assert trial["model"] == values["model"]
    assert trial["distill"]["optimiser"]["learning_rate_student"] == pytest.approx(1e-8)
    assert trial["distill"]["optimiser"]["momentum"] == 0.9
    params.parse(trial)


def test_on_a_processor_batch_and_crop_are_smaller_and_it_says_so():
    trial, said = trial_parameters(values_of(), start_from=None, gpus=0)
    assert trial["pretrain_teacher"]["start_from"] == NO_WEIGHTS
    assert said == [
        "random weights", "batch 2 of 12", "crop 128×256 of 512×1024", "batch 2 of 20"
    ]  # fmt: skip
    assert clip_frames(trial) == 3
    params.parse(trial)


def test_crops_of_a_detector_stay_since_its_anchors_lie_in_them():
    values = experiment_values("vid_efficientdet_d0", [])
    trial, _ = trial_parameters(values, start_from=None, gpus=0)
    assert trial["distill"]["augment"]["crop"] == [512, 512]


def test_a_teacher_that_is_kept_is_not_trained_in_the_trial():
    trial, _ = trial_parameters(values_of("pretrain_teacher.steps=0"), start_from="/w.pth", gpus=1)
    assert trial["pretrain_teacher"]["steps"] == 0


def test_an_excerpt_ends_at_the_label_and_counts_anew(tmp_path):
    manifest = make_manifest(tmp_path, clips={"train": 3, "tune": 2, "test": 2}, labelled=[4])
    small = excerpt(manifest, frames=3)
    assert {split: list(small.clips(split)) for split in ("train", "tune", "test")} == {
        "train": ["train0", "train1"], "tune": ["tune0"], "test": ["test0"],
    }  # fmt: skip
    clip = small.clips("test")["test0"]
    assert [frame.index for frame in clip] == [0, 1, 2]
    assert [frame.image.name for frame in clip] == ["test0_2.png", "test0_3.png", "test0_4.png"]
    assert [frame.label is not None for frame in clip] == [False, False, True]


def test_an_excerpt_of_boxes_shows_something_and_has_a_still(tmp_path):
    small = excerpt(make_box_manifest(tmp_path, stills=2), frames=2)
    assert list(small.clips("train")) == ["still0", "train0", "train1"]
    assert [frame.index for frame in small.clips("test")["test0"]] == [0, 1]


def test_clips_that_are_too_short_are_named_by_their_split(tmp_path):
    with pytest.raises(ValueError, match="no clip of the split train has 9 frames"):
        excerpt(make_manifest(tmp_path), frames=9)


def test_a_stage_that_fails_is_named_with_its_last_words_and_ends_the_trial(tmp_path):
    root = make_cityscapes(tmp_path)
    changes = (
        f"prepare_dataset.cityscapes.root={root}",
        f"pretrain_teacher.start_from={NO_WEIGHTS}",
        "model.options={width: 8}",
        "distill.search.target={cost: 0.34, length: 3}",
    )
    findings = list(check(NAME, values_of(*changes)))
    assert [finding.what.split("@")[0] for finding in findings[-3:]] == [
        "pretrain_teacher", "profile_macs", "distill",
    ]  # fmt: skip
    assert [finding.is_fine for finding in findings[-3:]] == [True, True, False]
    assert "cost 0.34 at length 3 is out of reach" in findings[-1].todo


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "is there enough memory"),
        ("raise OSError('no room')", "OSError: no room"),
    ],
)
def test_a_trial_whose_process_ends_is_not_fine(tmp_path, script, last):
    folder = tmp_path / "workflow" / "check"
    folder.mkdir(parents=True)
    (folder / "stages.py").write_text(script)
    (finding,) = trial.run(tmp_path, [])
    assert last in finding.todo


def test_the_conclusion_lists_what_to_do():
    fine, wrong = Finding("disk", "9 GiB", "1 GiB"), Finding("weights", "none", "a file", "put it there")
    assert conclusion([fine]) == "OK"
    assert conclusion([fine, wrong]) == "Not yet:\n  weights: put it there"
    assert str(wrong) == "MISSING  weights: none (needed: a file)"


def test_the_command_ends_with_what_to_do_and_exit_code_1_and_changes_nothing(tmp_path):
    def state():
        command = ["git", "status", "--porcelain", "--ignored=no"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    before, text = state(), (ROOT / "params.yaml").read_bytes()
    done = subprocess.run(
        [
            sys.executable,
            "workflow/check_experiment.py",
            NAME,
            "--set",
            f"prepare_dataset.cityscapes.root={tmp_path}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Not yet:\n  data: " in done.stdout
    assert state() == before
    assert (ROOT / "params.yaml").read_bytes() == text
