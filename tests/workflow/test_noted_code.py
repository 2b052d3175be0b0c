"""A change of code makes those stages stale that run it: by DVC typed by hand, and in Snakemake's plan."""

import re

import pytest
from ruamel.yaml import YAML


def test_every_stage_depends_on_what_is_noted_of_its_code_and_on_no_code(untouched):
    stages = YAML(typ="safe").load(untouched.folder / "dvc.yaml")["stages"]
    for name, stage in stages.items():
        if name == "trace_code":
            continue
        noted = [d for d in stage["deps"] if d.startswith("artifacts/${experiment}/code/")]
        assert [path.split("/")[3].removesuffix(".json") for path in noted] == [name], name
        assert f"--noted-code {noted[0]} " in stage["cmd"]
        assert not [d for d in stage["deps"] if d.startswith(("deltadistill", "stages", "networks"))], name


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        (
            "deltadistill/predictors/copy.py",
            {  # of the variants only those that predict so
                "sweep_sequence_length@street-0-copy",
                "analyze_consistency@street-0-copy",
                "measure_latency@street",
            },
        ),
        ("stages/write_report.py", {"write_report@street"}),
        ("deltadistill/pipeline/tracking.py", set()),
    ],
)
def test_a_changed_module_makes_exactly_its_users_stale(finished, file, stale):
    path = finished.folder / file
    path.write_text(path.read_text() + "\nCHANGED = True\n")
    assert planned(finished) >= {address.partition("@")[0] for address in stale}
    ran = set(re.findall(r"Running stage '(\w+@\S+)'", finished.run("dvc", "repro")))
    assert ran == {"trace_code@street"} | stale
    assert "up to date" in finished.run("dvc", "status")


def test_a_predictor_that_is_added_and_not_used_makes_nothing_stale(finished):
    table = finished.folder / "deltadistill" / "predictors" / "registry.py"
    own = '        "mine": "deltadistill.predictors.mine:Mine",\n'
    table.write_text(table.read_text().replace('        "per_frame"', own + '        "per_frame"'))
    table.with_name("mine.py").write_text('"""Mine."""\n\nclass Mine: ...\n')
    assert planned(finished) == set()
    ran = re.findall(r"Running stage '(\w+)@", finished.run("dvc", "repro"))
    assert ran == ["trace_code"]


def planned(project) -> set[str]:
    """The stages that Snakemake would run."""
    said = project.run("snakemake", "--dry-run", "--quiet", "host")
    rules = re.findall(r"^rule (\w+):", said, flags=re.M)
    return {re.sub(r"_street.*", "", rule) for rule in rules} - {"all"}
