"""A sweep's settings: their names, what they share, and what is refused."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML
from sweep.project import projects, rows_beside, rows_of_setting
from sweep.settings import settings_of

from deltadistill.pipeline import params
from deltadistill.pipeline.params import ParameterSweep

ROOT = Path(__file__).resolve().parents[2]
BASE = YAML(typ="safe").load(ROOT / "params.yaml")
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
LAST = YAML(typ="safe").load(ROOT / "workflow" / "sweep" / "compare_settings.yaml")
BETA = {"distill.loss.beta": [0.3, 0.6]}


def sweep(**values) -> ParameterSweep:
    return ParameterSweep(**{"seeds": [0, 1], "trainings": ["delta"]} | values)


def settings(**values):
    return {setting.name: setting for setting in settings_of(sweep(**values), BASE, name="toy")}


def written(**values):
    chosen = sweep(**values)
    found = projects("toy", chosen, settings_of(chosen, BASE, name="toy"), STAGES, LAST)
    return {str(project.folder): project for project in found}


def test_every_combination_is_a_setting_named_after_what_differs_from_the_base():
    found = settings(over=BETA | {"distill.students.gamma": [4, 8]})
    assert list(found) == ["beta0p3", "beta0p3_gamma8", "base", "gamma8"]
    assert found["beta0p3_gamma8"].params["distill"]["loss"]["beta"] == 0.3
    assert found["beta0p3_gamma8"].values == {"distill.loss.beta": 0.3, "distill.students.gamma": 8}
    assert found["base"].values == {"distill.loss.beta": 0.6, "distill.students.gamma": 4}


def test_a_further_value_or_key_leaves_the_names_of_the_others():
    before = set(settings(over=BETA))
    assert before < set(settings(over={"distill.loss.beta": [0.1, 0.3, 0.6]}))
    assert before < set(settings(over={"distill.loss.alpha": [0.3, 1.0]} | BETA))


def test_listed_settings_stand_beside_the_combinations():
    found = settings(over=BETA, settings=[{"distill.steps": 600}, {"distill.loss.beta": 0.3}])
    assert list(found) == ["beta0p3", "base", "steps600"]
    assert list(settings(settings=[{"distill.steps": 600}])) == ["steps600"]


def test_objectives_are_settings_whose_names_say_which_and_how_much():
    one, other = {"exits": {"weight": 0.5}}, {"weight_change": {"weight": 1.0, "options": {"epsilon": 0.01}}}
    found = settings(settings=[{"distill.loss.objectives": value} for value in (one, other)])
    assert list(found) == [
        "objectives_exits_weight0p5", "objectives_weight_change_weight1p0_options_epsilon0p01",
    ]  # fmt: skip
    read = params.parse(found["objectives_exits_weight0p5"].params).distill.loss.objectives
    assert read["exits"].weight == 0.5


def test_settings_share_a_data_set_and_a_teacher_where_they_agree():
    found = settings(
        over=BETA | {"model.options.width": [16, 24], "prepare_dataset.generated.frames": [12, 16]}
    )
    assert {setting.dataset.name for setting in found.values()} == {"base", "frames12"}
    assert {setting.teacher.name for setting in found.values()} == {
        "base", "frames12", "width24", "width24_frames12"
    }  # fmt: skip
    of = found["beta0p3_width24"]
    assert of.teacher.params["distill"]["loss"]["beta"] == BASE["distill"]["loss"]["beta"]
    assert of.teacher.params["model"]["options"]["width"] == 24
    assert of.dataset.params["model"]["options"]["width"] == 16


def test_keys_that_end_alike_are_told_apart():
    over = {"pretrain_teacher.steps": [500, 1000], "distill.steps": [300, 450]}
    assert list(settings(over=over)) == [
        "pretrain_teacher_steps500",
        "distill_steps450_pretrain_teacher_steps500",
        "base",
        "distill_steps450",
    ]


def test_values_that_are_lists_mappings_or_long_have_short_names():
    crops = {"distill.augment.crop": [[96, 192], [80, 160]], "distill.search.target": [None]}
    names = list(settings(over=crops))
    assert names[0] == "targetnone"
    assert len(names[1]) == len("crop000000_targetnone")
    keys = [
        "batch",
        "clip_length",
        "loss.alpha",
        "loss.beta",
        "optimiser.learning_rate_teacher",
        "search.freeze",
    ]
    many = {
        f"distill.{key}": value
        for key, value in zip(keys, [8, 3, 0.125, 0.375, 0.000125, 0.4375], strict=True)
    }
    assert len(next(iter(settings(settings=[many])))) <= 80


def test_two_values_of_one_name_are_refused():
    with pytest.raises(ValueError, match="would both be called 'start_froma_b'"):
        settings(over={"pretrain_teacher.start_from": ["a/b", "a b"]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"over": {"distill.loss.beta": [-1.0]}}, r"setting betam1p0: .*\n.*distill\.loss\.beta: .*greater"),
        ({"over": {"distill.loss.gamma": [1.0]}}, r"distill\.loss\.gamma: unknown key"),
        (
            {"over": BETA, "trainings": ["detla"]},
            r"trainings \['detla'\]: not in the parameters, which have fine",
        ),
        ({"over": BETA, "beside": ["warp"]}, r"beside \['warp'\]: not in the parameters"),
        ({"over": {"distill.steps.more": [1]}}, r"steps is a value in the parameters, not a section"),
    ],
)
def test_a_setting_that_cannot_be_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        settings(**values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "nothing is swept"),
        ({"over": {"seeds": [[0], [1]]}}, "'seeds' cannot be swept"),
        ({"over": {"distill.trainings.delta.method": ["delta"]}}, "cannot be swept.*list its names under"),
        ({"over": {"analyze_consistency.batch": [8]}}, "cannot be swept; keys lie in prepare_dataset, model"),
        (
            {"over": {"distill.loss": [{}], "distill.loss.beta": [1.0]}},
            "'distill.loss' holds 'distill.loss.beta'",
        ),
        ({"over": {"distill.loss.beta": [1.0, 1.0]}}, "has the same value twice"),
        ({"over": BETA, "colour": "distill.loss.alpha"}, "colour 'distill.loss.alpha' is no swept key"),
        ({"over": BETA, "metods": ["delta"]}, "metods: unknown key"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path, content, message):
    path = tmp_path / "toy.yaml"
    YAML(typ="safe").dump({"seeds": [0], "trainings": ["delta"]} | content, path)
    with pytest.raises(ValueError, match=message):
        params.load_sweep(path)


def test_a_missing_file_is_named_with_those_that_are_there():
    with pytest.raises(ValueError, match=r"none\.yaml: no such sweep; there are: beta"):
        params.load_sweep(ROOT / "sweeps" / "none.yaml")


def test_the_sweeps_of_the_project_are_valid():
    files = sorted((ROOT / "sweeps").glob("*.yaml"))
    assert files
    for file in files:
        assert settings_of(params.load_sweep(file), BASE, name=file.stem)


def test_rows_follow_the_networks_that_a_setting_trains():
    chosen = sweep(over=BETA, trainings=["finetuned"], beside=["delta"])
    of = settings_of(chosen, BASE, name="toy")[0]
    assert rows_of_setting(chosen, of) == ["finetuned", "copy"]  # copy predicts with the network of finetuned
    assert rows_beside(chosen, of) == ["teacher", "delta"]


def test_there_is_one_project_for_each_data_set_teacher_and_setting():
    assert list(written(over=BETA | {"model.options.width": [16, 24]})) == [
        "sweeps/toy/data/base",
        "sweeps/toy/teachers/base",
        "sweeps/toy/teachers/width24",
        "sweeps/toy/settings/beta0p3",
        "sweeps/toy/settings/beta0p3_width24",
        "sweeps/toy/settings/base",
        "sweeps/toy/settings/width24",
        "sweeps/toy",
    ]


def test_a_setting_reads_its_own_parameters_and_what_it_shares():
    project = written(over=BETA | {"model.options.width": [24]})["sweeps/toy/settings/beta0p3_width24"]
    distill = project.stages["distill-delta"]
    seed = "seed${item.seed}"
    assert distill["wdir"] == "../../../.."
    assert distill["matrix"] == {"seed": [0, 1]}
    assert distill["cmd"] == (
        "python stages/distill.py --params sweeps/toy/settings/beta0p3_width24/parameters.yaml "
        "--noted-code sweeps/toy/settings/beta0p3_width24/code/distill/delta.json "
        "--data data/sweeps/toy/base "
        f"--teacher artifacts/sweeps/toy/teachers/width24/{seed}/pretrain_teacher/teacher.pt "
        "--training delta --seed ${item.seed} "
        f"--artifacts artifacts/sweeps/toy/settings/beta0p3_width24/{seed}/distill/delta "
        f"--results results/sweeps/toy/settings/beta0p3_width24/per_seed/{seed}/distill/delta"
    )
    (reads,) = distill["params"]
    assert "distill.trainings.delta" in reads["sweeps/toy/settings/beta0p3_width24/parameters.yaml"]
    assert f"artifacts/sweeps/toy/settings/beta0p3_width24/{seed}/distill/delta/network.pt" in distill["outs"]
    evaluated = project.stages["sweep_sequence_length-delta"]["deps"]
    assert f"artifacts/sweeps/toy/settings/beta0p3_width24/{seed}/distill/delta/network.pt" in evaluated
    assert f"artifacts/sweeps/toy/teachers/width24/{seed}/pretrain_teacher/teacher.pt" in evaluated


def test_a_setting_is_timed_beside_its_teacher_as_the_report_shows_it():
    found = written(over=BETA | {"model.options.width": [24]}, trainings=["delta", "feature"])
    project = found["sweeps/toy/settings/beta0p3_width24"]
    stage = project.stages["measure_latency"]
    own = "artifacts/sweeps/toy/settings/beta0p3_width24/seed0"
    teacher = "artifacts/sweeps/toy/teachers/width24/seed0/pretrain_teacher/teacher.pt"
    assert f"--teacher {teacher} --artifacts {own} " in stage["cmd"]
    assert "matrix" not in stage
    assert {teacher, f"{own}/distill/delta/network.pt", f"{own}/distill/feature/network.pt"} <= set(
        stage["deps"]
    )
    assert f"{own}/distill" not in stage["deps"]
    assert "results/sweeps/toy/settings/beta0p3_width24/measure_latency/latency.json" in stage["metrics"][0]
    assert list(project.params["variants"]) == ["teacher", "delta", "feature"]
    first = {key: BASE["measure_latency"][key][:1] for key in ("batches", "threads", "precisions")}
    assert project.params["measure_latency"] == BASE["measure_latency"] | first


def test_what_stands_beside_is_timed_without_networks_that_nobody_trains_there():
    alone = written(over=BETA, beside=[])["sweeps/toy/teachers/base"]
    assert list(alone.params["variants"]) == ["teacher"]
    assert not [each for each in alone.stages["measure_latency"]["deps"] if "distill" in each]
    copying = written(over=BETA, beside=["copy"])["sweeps/toy/teachers/base"]
    own = "artifacts/sweeps/toy/teachers/base/seed0/distill/finetuned/network.pt"
    assert own in copying.stages["measure_latency"]["deps"]
    assert list(copying.params["variants"]) == ["teacher", "copy"]


def test_what_stands_beside_is_trained_once_with_the_values_of_the_base():
    teacher = written(over=BETA, beside=["copy"])["sweeps/toy/teachers/base"]
    assert list(teacher.stages) == [
        "pretrain_teacher",
        "distill-finetuned",
        "sweep_sequence_length-teacher",
        "analyze_consistency-teacher",
        "sweep_sequence_length-copy",
        "analyze_consistency-copy",
        "measure_latency",
    ]
    assert "distill/finetuned/network.pt" in teacher.stages["analyze_consistency-copy"]["cmd"]
    assert teacher.params["distill"]["loss"]["beta"] == BASE["distill"]["loss"]["beta"]


def test_a_value_in_the_graph_that_no_sweep_knows_is_refused():
    stages = STAGES | {"distill": STAGES["distill"] | {"desc": "${distill.steps} steps"}}
    chosen = sweep(over=BETA)
    with pytest.raises(ValueError, match=r"'\$\{distill.steps\} steps' holds a value that no sweep knows"):
        list(projects("toy", chosen, settings_of(chosen, BASE, name="toy"), stages, LAST))


def test_a_sweep_of_pseudo_labels_is_refused():
    base = BASE | {"label_frames": BASE["label_frames"] | {"folders": ["labelled"]}}
    with pytest.raises(
        ValueError, match=r"sweep toy: sweeps train on true labels alone; set label_frames.fol"
    ):
        settings_of(sweep(over=BETA), base, name="toy")
