"""Reading the results: what is there is typed, what is wrong is named."""

import json

import pytest


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_whole_tree_is_read_with_its_seeds_and_variants(street, read):
    results = read(street)
    assert results.seeds == (0, 1, 2)
    assert set(results.sweeps) == {"teacher", "finetuned", "delta", "feature", "small", "copy"}
    assert results.sweeps["delta"][2].lengths[3].macs_ratio == pytest.approx(0.4733, abs=1e-3)
    assert results.distilled["delta"][0].architecture.layers
    assert results.reference == "labels"
    assert results.labelled_frames == 210


def test_a_per_frame_network_has_no_architecture(street, read):
    assert read(street).distilled["finetuned"][0].architecture is None


def test_the_architecture_of_a_per_frame_network_may_also_be_there_and_empty(tree, read):
    folder = tree.results / "per_seed/seed0/distill/finetuned"
    (folder / "architecture.json").write_text('{"students": null, "layers": [], "macs": {"teacher": 1}}')
    (folder / "layers.csv").write_text("layer,part,error_before,error_after\n")
    finetuned = read(tree).distilled["finetuned"][0]
    assert finetuned.architecture is None
    assert finetuned.layers is None


def test_every_provenance_is_read_in_the_order_of_the_stages(street, read):
    stages = [run.stage for run in read(street).provenances]
    assert stages[0] == "prepare_dataset"
    assert stages[-1] == "measure_latency"
    assert stages.count("distill") == 12


@pytest.mark.parametrize(
    ("missing", "stage"),
    [
        ("profile_macs/totals.json", "profile_macs"),
        ("measure_latency/latency.json", "measure_latency"),
        ("per_seed/seed0/pretrain_teacher/curve.csv", "pretrain_teacher"),
        ("per_seed/seed0/distill/delta/curve.csv", r"distill \(delta\)"),
        ("per_seed/seed0/distill/delta/layers.csv", r"distill \(delta\)"),
        ("per_seed/seed0/sweep_sequence_length/copy/sweep.json", r"sweep_sequence_length \(copy\)"),
        ("per_seed/seed0/analyze_consistency/feature/consistency.json", r"analyze_consistency \(feature\)"),
        ("prepare_dataset/contact_sheet.png", "prepare_dataset"),
        ("profile_macs/provenance.json", "profile_macs"),
    ],
)
def test_a_missing_file_is_named_with_the_stage_that_makes_it(tree, read, missing, stage):
    (tree.results / missing).unlink()
    with pytest.raises(ValueError, match=f"{missing} is missing; the stage {stage}"):
        read(tree)


def test_a_file_that_is_not_json_is_named(tree, read):
    path = tree.results / "per_seed/seed0/sweep_sequence_length/delta/sweep.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(ValueError, match=r"sweep\.json is not JSON.*run the stage sweep_sequence_length"):
        read(tree)


def test_a_missing_key_is_named_by_its_place(tree, read):
    path = tree.results / "per_seed/seed0/sweep_sequence_length/delta/sweep.json"
    edit(path, lambda content: content["lengths"]["3"].pop("gmacs"))
    with pytest.raises(ValueError, match=r"sweep\.json is malformed: lengths\.3\.gmacs: .*got"):
        read(tree)


@pytest.mark.parametrize("wrong", [140.0, -1.0, "many", None])
def test_an_impossible_miou_is_refused(tree, read, wrong):
    path = tree.results / "per_seed/seed0/sweep_sequence_length/delta/sweep.json"
    edit(path, lambda content: content["lengths"]["3"].update(miou=wrong))
    with pytest.raises(ValueError, match=r"lengths\.3\.score: .*got"):
        read(tree)


def test_nan_is_no_number_in_a_result_file(tree, read):
    path = tree.results / "per_seed/seed0/sweep_sequence_length/delta/sweep.json"
    edit(path, lambda content: content["lengths"]["3"].update(miou=float("nan")))
    with pytest.raises(ValueError, match=r"sweep\.json is not JSON: NaN is no number"):
        read(tree)


def test_an_absent_class_is_null(tree, read):
    path = tree.results / "per_seed/seed0/sweep_sequence_length/delta/sweep.json"
    edit(path, lambda content: content["lengths"]["3"]["iou"].update(person=None))
    assert read(tree).sweeps["delta"][0].lengths[3].per_class["person"] is None


def test_a_broken_row_of_a_table_is_named(tree, read):
    (tree.results / "per_seed/seed0/distill/delta/layers.csv").write_text(
        "layer,part,error_before\nstem.0,stem,0.5\n"
    )
    with pytest.raises(ValueError, match=r"layers\.csv is malformed: 0\.error_after"):
        read(tree)


def test_variants_measured_on_different_frames_are_not_compared(tree, read):
    edit(
        tree.results / "per_seed/seed0/sweep_sequence_length/copy/sweep.json",
        lambda c: c.update(labelled_frames=12),
    )
    with pytest.raises(ValueError, match="differ in"):
        read(tree)


def test_the_report_needs_the_teacher(tree, read):
    del tree.variants["teacher"]
    with pytest.raises(ValueError, match="needs a variant of the role teacher"):
        read(tree)
