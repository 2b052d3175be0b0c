"""Which weights of a file are taken: an average beside raw ones, the only ones, or none."""

import logging
from collections import OrderedDict

import pytest
import torch
from stored.small_network import assert_accounted, network, parameters, saved, seed_of, weights
from torch import nn
from torch.optim.swa_utils import AveragedModel

import deltadistill as dd
from deltadistill.stored.weight_account import COPY, OUTSIDE
from deltadistill.stored.weight_names import COUNTER
from deltadistill.training.moving_average import MovingAverage

RAW, AVERAGE = 1, 2


def run_together(seed, before):
    return {before + name.replace(".", ""): tensor for name, tensor in weights(seed).items()}


def underscored(seed):
    return {"ema_" + name.replace(".", "_"): tensor for name, tensor in weights(seed).items()}


def averaged_model(seed):
    return AveragedModel(network(seed)).state_dict()


# Content by what writes it; where the average and the raw weights are.
PAIRS = {
    "timm": (
        {"arch": "a", "state_dict": weights(RAW), "state_dict_ema": weights(AVERAGE)},
        "state_dict_ema",
        "state_dict",
    ),
    "model_ema": ({"model": weights(RAW), "model_ema": weights(AVERAGE)}, "model_ema", "model"),
    "module of ema": (
        {"model": weights(RAW, "module."), "ema": {"module": weights(AVERAGE), "updates": 7}},
        "ema.module",
        "model",
    ),
    "basicsr": ({"params": weights(RAW), "params_ema": weights(AVERAGE)}, "params_ema", "params"),
    "gan": ({"g": weights(RAW), "d": {"x": torch.ones(3)}, "g_ema": weights(AVERAGE)}, "g_ema", "g"),
    "swa": (
        {"model": weights(RAW), "averaged_model": averaged_model(AVERAGE)},
        "averaged_model",
        "model",
    ),
    "counted alone": ({"net": weights(RAW), "other": averaged_model(AVERAGE)}, "other", "net"),
    "mean teacher": (
        {"state_dict": weights(RAW, "student.") | weights(AVERAGE, "teacher.")},
        "state_dict.teacher",
        "state_dict.student",
    ),
    "self-distilled": (
        {"student": weights(RAW, "module."), "teacher": weights(AVERAGE)},
        "teacher",
        "student",
    ),
    "wrapped in Lightning": (
        {
            "state_dict": weights(RAW, "model.") | weights(AVERAGE, "ema_model."),
            "hyper_parameters": {"lr": 0.1},
        },
        "state_dict.ema_model",
        "state_dict",
    ),
    "one name each": (
        {"state_dict": weights(RAW, "model.") | run_together(AVERAGE, "model_ema.")},
        "state_dict.model_ema",
        "state_dict",
    ),
    "mmcv": ({"meta": {}, "state_dict": weights(AVERAGE) | underscored(RAW)}, "state_dict", "state_dict.ema"),
    "mmengine": (
        {
            "meta": {"mmengine_version": "0.10.4"},
            "state_dict": weights(AVERAGE),
            "ema_state_dict": {"steps": torch.tensor(9), **weights(RAW, "module.")},
        },
        "state_dict",
        "ema_state_dict",
    ),
    "mmengine's messages": (
        {"message_hub": {}, "state_dict": weights(AVERAGE), "ema_state_dict": weights(RAW, "module.")},
        "state_dict",
        "ema_state_dict",
    ),
    "Lightning's averaging": (
        {"state_dict": weights(AVERAGE), "current_model_state": weights(RAW)},
        "state_dict",
        "current_model_state",
    ),
    "other program's ema_state_dict": (
        {"meta": {"epoch": 3}, "state_dict": weights(RAW), "ema_state_dict": weights(AVERAGE)},
        "ema_state_dict",
        "state_dict",
    ),
}
WRAPPED = {
    "compiled": (weights(1, "_orig_mod."), ""),
    "parallel and compiled": (weights(1, "module._orig_mod."), ""),
    "compiled within": ({n.replace(".", "._orig_mod.", 1): v for n, v in weights(1).items()}, ""),
    "net": ({"net": weights(1), "acc": 91.5, "epoch": 3}, "net"),
    "params": ({"params": weights(1)}, "params"),
    "weights": ({"weights": weights(1, "net.")}, "weights"),
    "ema alone": ({"ema": weights(1)}, "ema"),
    "mmseg": ({"meta": {"CLASSES": ("a", "b")}, "state_dict": weights(1, "module.")}, "state_dict"),
    "detectron2": ({"model": weights(1), "__author__": "them"}, "model"),
    "Lightning": (
        {"state_dict": weights(1, "net."), "hyper_parameters": {"lr": 1e-3}, "loops": {"fit_loop": {}}},
        "state_dict",
    ),
    "deep": ({"classy_state_dict": {"base_model": {"model": {"trunk": weights(1)}}}}, None),
}


def load(path, content, seed=0, **options):
    made = network(seed)
    report = dd.load_weights(made, saved(path, content), strict=True, **options)
    assert_accounted(report, content)
    return report, seed_of(made)


@pytest.mark.parametrize("name", PAIRS)
def test_of_a_pair_the_average_is_taken_and_the_raw_weights_on_demand(name, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    content, average, raw = PAIRS[name]
    report, seed = load(tmp_path / "theirs.pt", content)
    assert (seed, report.taken, report.average) == (AVERAGE, average, True)
    assert f"from {average} (a moving average; there too: {raw}) 9 loaded" in caplog.text
    assert caplog.records[-1].levelname == "WARNING"  # shown where nobody has set up logging
    assert COPY in report.elsewhere.values()
    report, seed = load(tmp_path / "theirs.pt", content, prefer="raw")
    assert (seed, report.taken, report.average) == (RAW, raw, False)
    assert f"from {raw} (raw weights; there too: {average})" in caplog.text


@pytest.mark.parametrize("name", WRAPPED)
def test_the_only_weights_of_a_file_are_found_wherever_they_are(name, tmp_path):
    content, place = WRAPPED[name]
    report, seed = load(tmp_path / "theirs.pt", content)
    assert (seed, report.elsewhere) == (1, {})
    assert report.taken == (place if place is not None else "classy_state_dict.base_model.model.trunk")


def test_the_counter_of_an_average_is_named_and_does_not_stop_strict(tmp_path):
    report, seed = load(tmp_path / "swa.pt", averaged_model(3))
    assert (seed, report.average, report.reasons) == (3, True, {"n_averaged": COUNTER})


def test_an_average_of_parameters_takes_the_buffers_of_the_raw_weights(tmp_path):
    made = network(0)
    path = saved(tmp_path / "theirs.pt", {"model": weights(1, "module."), "shadow": parameters(2)})
    report = dd.load_weights(made, path, strict=True)
    buffers = {"bn.running_mean", "bn.running_var", "bn.num_batches_tracked"}
    assert set(report.completed) == buffers
    for name, value in made.state_dict().items():
        assert torch.equal(value, weights(1 if name in buffers else 2)[name])
    assert buffers.isdisjoint(name.removeprefix("model.module.") for name in report.elsewhere)
    assert len(report.elsewhere) == 6


def test_an_average_that_lacks_a_parameter_is_refused_with_the_ways_out(tmp_path):
    partly = {name: value for name, value in weights(2).items() if name != "c.bias"}
    path = saved(tmp_path / "theirs.pt", {"model": weights(1), "ema": partly})
    with pytest.raises(
        ValueError, match=r"theirs\.pt: ema is a moving average without c\.bias.*prefer=\"raw\""
    ):
        dd.load_weights(network(0), path)
    assert dd.load_weights(network(0), path, part="ema").missing == ("c.bias",)
    assert dd.load_weights(network(0), path, prefer="raw").missing == ()


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": weights(1), "best": weights(2), "epoch": 3},
        {"ema_0.9": weights(1), "ema_0.99": weights(2), "model": weights(3)},
    ],
)
def test_weights_that_fit_equally_are_refused_and_named_with_the_way_to_choose(tmp_path, content):
    first, second = list(content)[:2]
    path = saved(tmp_path / "theirs.pt", content)
    made = network(0)
    words = rf"theirs\.pt: several.*{first} \(9 tensors\), {second} \(9 tensors\).*part='{second}'"
    with pytest.raises(ValueError, match=words):
        dd.load_weights(made, path)
    assert seed_of(made) == 0
    assert load(path, content, part=second)[1] == 2


def test_the_same_weights_twice_are_no_question(tmp_path):
    report, seed = load(tmp_path / "theirs.pt", {"state_dict": weights(1), "best": weights(1)})
    assert (seed, report.taken, set(report.elsewhere.values())) == (1, "state_dict", {COPY})


def test_weights_of_a_part_yield_to_those_of_the_whole(tmp_path):
    some = {name: value for name, value in weights(2).items() if name.startswith("a.")}
    report, seed = load(tmp_path / "theirs.pt", {"backbone": some, "last": weights(1)})
    assert (seed, report.taken) == (1, "last")
    assert report.elsewhere == {"backbone.a.weight": COPY, "backbone.a.bias": COPY}


@pytest.mark.parametrize("prefer", ["ema", "raw"])
def test_a_teacher_of_another_size_is_no_average_of_the_student(tmp_path, prefer):
    content = {"teacher": weights(2, channels=7), "student": weights(1)}
    assert load(tmp_path / "theirs.pt", content, prefer=prefer)[1] == 1


def test_a_network_with_parts_called_so_keeps_their_names(tmp_path):
    def pair(seed):
        parts = ("student", "teacher", "ema")
        return nn.Sequential(OrderedDict((name, network(seed + i)) for i, name in enumerate(parts)))

    made = pair(0)
    report = dd.load_weights(made, saved(tmp_path / "own.pt", {"model": pair(4).state_dict()}), strict=True)
    assert (report.taken, report.average) == ("model", False)
    assert all(torch.equal(v, made.state_dict()[n]) for n, v in pair(4).state_dict().items())


def test_what_an_optimiser_keeps_is_outside_and_never_taken(tmp_path):
    made = network(1)
    optimiser = torch.optim.Adam(made.parameters())
    for parameter in made.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    content = {
        "model": made.state_dict(),
        "optimizer": optimiser.state_dict(),
        "opt_state": {"exp_avg": weights(2), "exp_avg_sq": weights(3)},
    }
    made = network(0)
    report = dd.load_weights(made, saved(tmp_path / "theirs.pt", content), strict=True)
    assert torch.equal(made.a.weight, content["model"]["a.weight"])
    assert_accounted(report, content)
    assert set(report.elsewhere.values()) == {OUTSIDE}
    assert report.elsewhere["optimizer.state.2.exp_avg_sq"] == OUTSIDE


@pytest.mark.parametrize(
    ("place", "average"),
    [
        ("ema", {"first": torch.ones(3), "second": torch.ones(4)}),
        ("ema.shadow_params", [torch.ones(3), torch.ones(4)]),
    ],
)
def test_an_average_of_unknown_names_or_none_is_told_of(tmp_path, caplog, place, average):
    first, *rest = place.split(".")
    content = {"model": weights(1), first: {rest[0]: average} if rest else average}
    report, seed = load(tmp_path / "theirs.pt", content)
    assert (seed, report.average) == (1, False)
    assert f"what seems an average, {place}, has other names, or none, and was left" in caplog.text
    assert len(report.elsewhere) == 2
    assert set(report.elsewhere.values()) == {OUTSIDE}


def test_where_only_an_average_is_there_the_wish_for_raw_weights_is_answered(tmp_path, caplog):
    report, _ = load(tmp_path / "theirs.pt", {"ema": weights(1)}, prefer="raw")
    assert report.average
    assert "it has an average only, no raw weights" in caplog.text


def test_a_training_of_this_project_gives_its_average_and_never_its_best_so_far(tmp_path):
    average = MovingAverage(0.5)
    average.update(network(2), 0)
    trainee = {"network": weights(1), "optimiser": {}, "average": average.values}
    content = {"trainee": trainee, "outcome": {"best_state": weights(3)}, "steps_done": 5}
    made = network(0)
    report = dd.load_weights(made, saved(tmp_path / "last.pt", content), strict=True)
    assert (report.taken, report.completed) == ("trainee.average", ("bn.num_batches_tracked",))
    assert torch.equal(made.bn.running_mean, weights(2)["bn.running_mean"])
    assert_accounted(report, content)
    assert load(tmp_path / "last.pt", content, prefer="raw")[1] == 1


@pytest.mark.parametrize(
    ("part", "seed"), [("state_dict.encoder_q", 1), ("state_dict.module.encoder_k", 2), ("other.deep", 3)]
)
def test_a_part_is_a_place_or_a_beginning_of_names(tmp_path, part, seed):
    names = weights(1, "encoder_q.") | weights(2, "module.encoder_k.")
    content = {"state_dict": names, "other": {"deep": weights(3)}}
    path = saved(tmp_path / "theirs.pt", content)
    made = network(0)
    report = dd.load_weights(made, path, part=part)
    assert (seed_of(made), report.taken) == (seed, part)
    assert_accounted(report, content)


def test_what_is_no_part_of_the_file_is_refused_with_those_that_are(tmp_path):
    path = saved(tmp_path / "theirs.pt", {"state_dict": weights(1)})
    with pytest.raises(
        ValueError, match=r"no tensors in part 'state_dic'; parts with tensors: \['state_dict'"
    ):
        dd.load_weights(network(0), path, part="state_dic")


def test_names_behind_an_unknown_beginning_are_offered(tmp_path):
    path = saved(tmp_path / "theirs.pt", {"state_dict": weights(1, "module.encoder_q.")})
    with pytest.raises(ValueError, match=r"it would have them by part='state_dict\.module\.encoder_q'"):
        dd.load_weights(network(0), path)


def test_another_preference_is_refused(tmp_path):
    with pytest.raises(ValueError, match="prefer is 'best'; expected one of ema, raw"):
        dd.load_weights(network(0), saved(tmp_path / "theirs.pt", weights(1)), prefer="best")
