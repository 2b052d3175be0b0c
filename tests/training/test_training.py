"""Trainings: they learn, keep the best network, and search as long as they should."""

import copy
from dataclasses import replace

import pytest
import torch
from training.toy_trainings import (
    STEPS,
    TRAINEES,
    Brightness,
    distill_trainee,
    per_frame_trainee,
    run,
    small_network,
)

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.distillation.layer_errors import layer_errors
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.training import optimiser as optimisers
from deltadistill.training.loop import train


def test_a_budget_out_of_reach_is_refused_before_the_first_step():
    with pytest.raises(ValueError, match=r"0\.100 of the teacher is out of reach"):
        distill_trainee(budget=0.1)


@pytest.mark.parametrize("kind", TRAINEES)
def test_the_loss_falls(kind):
    make, frames = TRAINEES[kind]
    curve = run(make(), frames).curve
    # the other terms of a distillation come and go with the search's phases
    term = "loss" if kind.startswith("per frame") else "task"
    assert sum(row[term] for row in curve[-3:]) < sum(row[term] for row in curve[:3])


def test_with_sgd_candidates_may_be_drawn_for_the_first_time_at_any_step():
    trainee = distill_trainee()
    network = trainee.network
    optimiser = optimisers.build("sgd", [(network.parameters(), 0.01)], weight_decay=0, momentum=0.9)
    trainee.optimised = replace(trainee.optimised, optimiser=optimiser)
    trainee.tune_score = lambda _: 0.0
    drawn = set()

    def note(row):
        (block,) = delta_blocks(network).values()
        drawn.add(tuple(next(iter(c.parameters())) in optimiser.state for c in candidates(block)))

    run(trainee, 2, on_row=note)
    assert len(drawn) == 2  # first one candidate had momentum, then both


def candidates(block):
    return block.uncompressed, block.compressed


def scored(trainee, scores):
    """The trainee, whose looks at the tune split give these scores one after another, whatever it learns."""
    scores = iter(scores)
    trainee.tune_score = lambda _: next(scores)
    return trainee


def test_the_best_network_by_the_tune_split_is_kept():
    outcome = run(scored(per_frame_trainee(), [10.0, 30.0, 20.0]), 1)
    assert (outcome.best_score, outcome.best_step) == (30.0, 8)


@pytest.mark.parametrize("kind", TRAINEES)
@pytest.mark.parametrize(("every", "looks"), [(5, [5, 10, 12]), (7, [7, 12]), (100, [12])])
def test_the_last_step_is_looked_at_wherever_it_falls(kind, every, looks):
    """Whole epochs between two looks seldom end where the training does."""
    make, frames = TRAINEES[kind]
    trainee, scores = make(), iter([1.0, 2.0, 3.0])
    trainee.tune_score = lambda _: next(scores)
    outcome = train(trainee, Brightness(frames), steps=STEPS, evaluate_every=every, seed=0)
    assert [row["step"] for row in outcome.curve if "tune_score" in row] == looks
    assert outcome.best_step == STEPS


@pytest.mark.parametrize(
    ("freeze", "best"),
    [
        (0, (40.0, 3)),
        (5, (30.0, 6)),
        (6, (20.0, 9)),  # the look after step 6 is one step ahead of the choice
        (11, (10.0, 12)),
        (STEPS, (10.0, 12)),  # no step is left: the last one settles at its end
    ],
)
def test_only_settled_networks_can_be_the_best(freeze, best):
    """Every look is worse than the one before, so that the first that may be the best is."""
    trainee = scored(distill_trainee(), [40.0, 30.0, 20.0, 10.0])
    trainee.search = SearchCourse(warmup=0, freeze=freeze)
    outcome = train(trainee, Brightness(2), steps=STEPS, evaluate_every=3, seed=0)
    assert (outcome.best_score, outcome.best_step) == best
    assert all(block.decided for block in delta_blocks(trainee.network).values())


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
    train(without, Unlabelled(2), steps=STEPS, evaluate_every=4, seed=0)
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
