"""Trainings: they learn, they resume to the same result, and bad numbers stop them."""

import copy
import signal

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

import deltadistill as dd
from deltadistill.conversion import delta_blocks
from deltadistill.costs import macs_of_blocks
from deltadistill.tasks import Segmentation
from deltadistill.training import optimiser as optimisers
from deltadistill.training.checkpoint import Checkpoint, training_key
from deltadistill.training.distill import DistillTraining, SearchCourse, Weights, layer_errors
from deltadistill.training.loop import train
from deltadistill.training.optimiser import Course, Descent
from deltadistill.training.per_frame import PerFrameTraining

STEPS = 12


class Brightness(Dataset):
    """Clips whose label is whether a pixel is bright; later frames are brighter. A function of the step."""

    def __init__(self, frames):
        self.frames = frames

    def __len__(self):
        return STEPS

    def __getitem__(self, step):
        generator = torch.Generator().manual_seed(step)
        key = torch.randint(0, 200, (2, 1, 3, 8, 8), generator=generator)
        clip = (key + 25 * torch.arange(self.frames).view(1, -1, 1, 1, 1)).to(torch.uint8)
        return {"clip": clip, "label": (clip[:, :, 0] > 110).to(torch.uint8)}


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 2, 1),
    )  # fmt: skip


def per_frame_trainee(rate=0.01):
    network = small_network()
    optimiser = optimisers.build("adamw", [(network.parameters(), rate)], weight_decay=0, momentum=0)
    scores = iter(range(100))
    descent = Descent(network, optimiser, Course(STEPS, "one_cycle"))
    return PerFrameTraining(descent, Segmentation(2), tune_score=lambda: float(next(scores)))


def distill_trainee(predicts="delta", task="labels", budget=None):
    network = dd.convert(small_network(), dd.LinearStudent(gamma=2), predicts=predicts)
    optimiser = optimisers.build("adamw", [(network.parameters(), 0.01)], weight_decay=0, momentum=0)
    return DistillTraining(
        Descent(network, optimiser, Course(STEPS, "constant"), clip_norm=1.0),
        Segmentation(2),
        weights=Weights(alpha=1.0, beta=0.5, task=task),
        search=SearchCourse(warmup=2, freeze=6, budget=budget),
        costs=macs_of_blocks(dd.count_macs(network, (3, 8, 8))),
        seed=4,
        tune_score=lambda: 50.0,
    )


TRAINEES = {
    "per frame": (per_frame_trainee, 1),
    "delta": (distill_trainee, 2),
    "delta on longer clips": (distill_trainee, 3),
    "feature": (lambda: distill_trainee("feature"), 2),
}


def run(trainee, frames, **options):
    return train(trainee, Brightness(frames), steps=STEPS, evaluate_every=4, log_every=1, **options)


def test_a_budget_out_of_reach_is_refused_before_the_first_step():
    with pytest.raises(ValueError, match=r"0\.100 of the teacher is out of reach"):
        distill_trainee(budget=0.1)


@pytest.mark.parametrize("kind", TRAINEES)
def test_the_loss_falls(kind):
    make, frames = TRAINEES[kind]
    curve = run(make(), frames).curve
    term = "loss" if kind == "per frame" else "task"  # the others come and go with the search's phases
    assert sum(row[term] for row in curve[-3:]) < sum(row[term] for row in curve[:3])


class _StopAfter:
    """A trainee that is interrupted during one step, by the signal that a scheduler sends."""

    def __init__(self, trainee, step):
        self._trainee, self._step = trainee, step

    def __getattr__(self, name):
        return getattr(self._trainee, name)

    def step(self, index, batch):
        if index == self._step:
            signal.raise_signal(signal.SIGTERM)
        return self._trainee.step(index, batch)


@pytest.mark.parametrize("stop", [1, 5, 6, 9])
@pytest.mark.parametrize("kind", TRAINEES)
def test_an_interrupted_training_resumes_to_the_same_result(kind, stop, tmp_path):
    make, frames = TRAINEES[kind]
    whole = make()
    expected = run(whole, frames)
    checkpoint = Checkpoint(tmp_path / "running", minutes=60)
    with pytest.raises(SystemExit):
        run(_StopAfter(make(), stop), frames, checkpoint=checkpoint)
    resumed = make()
    outcome = run(resumed, frames, checkpoint=checkpoint)
    weights = resumed.network.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in whole.network.state_dict().items())
    assert [row["loss"] for row in outcome.curve] == [row["loss"] for row in expected.curve]
    if kind != "per frame":
        chosen = [block.decided for block in delta_blocks(resumed.network).values()]
        assert chosen == [block.decided for block in delta_blocks(whole.network).values()]


def test_a_loss_that_is_not_a_number_stops_the_training_with_its_step():
    with pytest.raises(FloatingPointError, match=r"step \d+: .*loss.* not finite"):
        run(per_frame_trainee(rate=1e30), 1)


def test_the_best_network_by_the_tune_split_is_kept():
    trainee = per_frame_trainee()
    scores = iter([10.0, 30.0, 20.0])
    trainee.tune_score = lambda: next(scores)
    outcome = run(trainee, 1)
    assert (outcome.best_score, outcome.best_step) == (30.0, 8)


def test_only_settled_networks_can_be_the_best():
    assert run(distill_trainee(), 2).best_step == 8  # looks at 4, 8 and 12; the search ends at 6


def test_the_search_moves_the_gates_and_then_leaves_them():
    trainee = distill_trainee()
    logits = []

    def note(row):
        (block,) = delta_blocks(trainee.network).values()
        logits.append(block.gate.logit.item())

    run(trainee, 2, on_row=note)
    assert logits[0] == logits[1] == 0.0  # warm-up
    assert logits[5] != 0.0
    assert len(set(logits[6:])) == 1  # settled


@pytest.mark.parametrize("task", ["teacher", "none"])
def test_without_labels_in_the_loss_they_do_not_matter(task):
    class Unlabelled(Brightness):
        def __getitem__(self, step):
            batch = super().__getitem__(step)
            return batch | {"label": torch.full_like(batch["label"], 255)}

    with_labels, without = distill_trainee(task=task), distill_trainee(task=task)
    run(with_labels, 2)
    train(without, Unlabelled(2), steps=STEPS, evaluate_every=4)
    weights = without.network.state_dict()
    assert all(torch.equal(weights[k], v) for k, v in with_labels.network.state_dict().items())


def test_batch_norm_keeps_its_statistics_during_distillation():
    trainee = distill_trainee()
    before = copy.deepcopy(trainee.network[1].running_mean)
    run(trainee, 2)
    assert torch.equal(trainee.network[1].running_mean, before)


def test_layer_errors_are_zero_for_exact_students_and_one_for_silent_ones():
    network = dd.convert(small_network().eval(), dd.LinearStudent(gamma=2))
    (name,) = delta_blocks(network)
    block = network.get_submodule(name)
    clips = torch.randn(2, 3, 3, 8, 8)
    block.decide("uncompressed")
    assert layer_errors(network, clips)[name] == pytest.approx(0, abs=1e-6)
    block.decide("compressed")
    block.compressed[1].weight.data.zero_()
    assert layer_errors(network, clips)[name] == pytest.approx(1, abs=1e-5)


def test_a_truncated_checkpoint_is_said_to_be_so_and_left_aside(tmp_path, caplog):
    checkpoint = Checkpoint(tmp_path, minutes=1)
    checkpoint.save({"steps_done": 3})
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:50])
    assert checkpoint.load() is None
    assert "cannot be read" in caplog.text


def test_the_key_changes_with_settings_and_inputs(tmp_path):
    file = tmp_path / "input"
    file.write_text("one")
    keys = {training_key({"steps": 1}, [file]), training_key({"steps": 2}, [file])}
    file.write_text("two")
    keys.add(training_key({"steps": 1}, [file]))
    assert len(keys) == 3
