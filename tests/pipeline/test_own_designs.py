"""Student designs of one's own in params.yaml: named by their path, with settings as options."""

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deltadistill.blocks.designs import student_design
from deltadistill.pipeline import params
from deltadistill.pipeline.own_designs import import_own_designs

ROOT = Path(__file__).parents[2]
MODULE = """
from dataclasses import dataclass
from deltadistill.blocks.linear import LinearStudent

@dataclass(frozen=True)
class Thin(LinearStudent):
    gamma: int = 16
"""


@pytest.fixture
def content():
    return YAML(typ="safe").load(ROOT / "params.yaml")


@pytest.fixture
def thin(tmp_path, monkeypatch):
    (tmp_path / "thin_students.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield {"kind": "thin_students:Thin", "options": {"rank": "min"}}
    sys.modules.pop("thin_students", None)


def test_the_settings_of_a_design_of_ones_own_are_its_options(content, thin):
    content["distill"]["students"] |= thin
    students = params.parse(content).distill.students
    assert students.design == {
        "kind": "thin_students:Thin",
        "rank": "min",
    }  # gamma and the rest are not its own
    design = student_design(students.design)
    assert (type(design).__name__, design.gamma, design.rank) == ("Thin", 16, "min")
    assert design.as_dict()["kind"] == "thin_students:Thin"


def test_the_settings_of_residual_tokens_are_options_too(content):
    named = {"kind": "residual_tokens", "where": "vision_transformers", "options": {"rate": 0.5}}
    content["distill"]["students"] |= named
    design = student_design(params.parse(content).distill.students.design)
    assert design.as_dict() == {"kind": "residual_tokens", "rate": 0.5, "choice": "uniform", "residual": True}


def test_only_designs_that_a_network_is_made_with_are_imported(content, thin):
    content["distill"]["trainings"]["delta"]["changes"] = {"students": thin}
    parsed = params.parse(content)
    import_own_designs(parsed, ["pretrain_teacher", "distill/feature"])
    assert "thin_students" not in sys.modules
    import_own_designs(parsed, ["distill/delta"])
    assert "thin_students" in sys.modules


def test_a_design_that_is_not_there_is_said_with_where_it_should_be(content):
    content["distill"]["students"] |= {"kind": "nowhere_at_all:Thin"}
    with pytest.raises(ValueError, match="there is no module 'nowhere_at_all'; it must lie in the folder"):
        import_own_designs(params.parse(content), ["distill/delta"])


@pytest.mark.parametrize(
    ("students", "message"),
    [
        ({"options": {"gamma": 8}}, "options go with a design of your own .* kind linear are gamma, rank"),
        ({"kind": "own:Thin", "options": {"kind": "linear"}}, "options cannot hold kind"),
        ({"kind": "slim"}, r"students\.kind: .*'slim' is unknown"),
    ],
)
def test_options_have_their_place(content, students, message):
    content["distill"]["students"] |= students
    with pytest.raises(ValueError, match=message):
        params.parse(content)
