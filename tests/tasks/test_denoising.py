"""Denoising: what a denoiser is shown, the loss and the score by hand."""

import pytest
import torch

from deltadistill import models
from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.frames import normalise
from deltadistill.data.label_table import ClassEntry
from deltadistill.tasks import of_dataset as tasks
from deltadistill.tasks.denoiser import drawn, frames_of, pictures_of


def denoising(**loss):
    info = DatasetInfo("stl10", (2, 2), (ClassEntry("cat", (0, 0, 0), ()), ClassEntry("dog", (1, 1, 1), ())))
    return tasks.build(info, boxes={}, loss=loss, named="denoising")


def told(estimate, noise):
    return {"estimate": torch.tensor(estimate), "noise": torch.tensor(noise)}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return models.build("ddpm", classes=2, width=8, multipliers=(1, 2), blocks=1, steps=50)


def test_frames_become_pictures_from_minus_one_to_one_and_come_back():
    frames = normalise(torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 3, 1).expand(1, 3, 3, 1))
    pictures = pictures_of(frames)
    assert pictures[0, 1, :, 0].tolist() == pytest.approx([-1, -0.6, 1], abs=1e-6)
    assert torch.allclose(frames_of(pictures), frames, atol=1e-6)


def test_the_noise_hangs_on_the_frames_alone():
    frames = torch.rand(2, 3, 4, 4)
    (steps, noise), again = drawn(frames, 50), drawn(frames.clone(), 50)
    assert torch.equal(steps, again[0])
    assert torch.equal(noise, again[1])
    frames[0, 0, 0, 0] += 1e-3
    assert not torch.equal(noise, drawn(frames, 50)[1])
    many_steps, much_noise = drawn(torch.rand(500, 3, 4, 4), 50)
    assert (int(many_steps.min()), int(many_steps.max())) == (0, 49)
    assert float(much_noise.var()) == pytest.approx(1, abs=0.05)


def test_a_denoiser_is_shown_noised_pictures_at_their_steps(network):
    frames = torch.rand(2, 3, 4, 4)
    seen = {}
    network.register_forward_pre_hook(lambda module, given: seen.update(noised=given[0], steps=given[1]))
    output = network.frame_outputs(frames)
    steps, noise = drawn(frames, 50)
    assert torch.equal(seen["steps"], steps)
    kept = network.schedule.kept[steps].float().view(2, 1, 1, 1)
    assert torch.allclose(seen["noised"], kept.sqrt() * pictures_of(frames) + (1 - kept).sqrt() * noise)
    assert torch.equal(output["noise"], noise)
    assert output["estimate"].shape == frames.shape


def test_the_loss_is_the_mean_squared_error_and_parts_add_up():
    output = told([[[[1.0, 2.0]]], [[[0.0, 0.0]]]], [[[[0.0, 0.0]]], [[[0.0, 4.0]]]])
    task = denoising()
    assert task.loss(output, torch.zeros(2)).item() == pytest.approx((2.5 + 8) / 2)
    of = task.extent([(None, torch.zeros(2))])
    parts = [{name: values[n : n + 1] for name, values in output.items()} for n in range(2)]
    assert sum(task.loss(part, torch.zeros(1), of) for part in parts).item() == pytest.approx(5.25)


def test_imitation_compares_estimates_and_not_the_noise():
    own, taught = told([[[[1.0, 2.0]]]], [[[[9.0, 9.0]]]]), told([[[[1.0, 0.0]]]], [[[[9.0, 9.0]]]])
    assert denoising().imitation_loss(own, taught, network=None).item() == 2


def test_the_score_is_the_share_of_the_noise_that_is_told():
    task = denoising()
    metric = task.metric()
    output = told([[[[1.0, 2.0]]], [[[3.0, 0.0]]]], [[[[1.0, 4.0]]], [[[2.0, 0.0]]]])
    for prediction in task.predict(output, network=None):
        metric.update(prediction, task.reference(None)(None))
    found = pytest.approx(1 - 5 / 21)
    assert task.scores(metric).overall == {"noise_told": found}
    assert task.scores(metric).by_class == [found, found]
    (first, _) = task.predict(output, network=None)
    against_teacher = task.metric()
    against_teacher.update(first, task.as_reference(first, None))
    assert task.score(against_teacher) == 1


def test_another_networks_output_and_weights_of_classes_are_refused():
    with pytest.raises(
        ValueError, match=r"denoising needs an estimate and the noise: choose model\.name: ddpm"
    ):
        denoising().loss(torch.zeros(2, 3), None)
    with pytest.raises(ValueError, match="set class_weights: null"):
        denoising(class_weights=[1.0, 2.0])
