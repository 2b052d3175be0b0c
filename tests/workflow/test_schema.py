"""workflow/params.schema.yaml says what deltadistill/pipeline/params says."""

import re
from pathlib import Path
from runpy import run_path

from deltadistill.pipeline.params import Params

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


def test_the_schema_is_up_to_date():
    made = run_path(str(WORKFLOW / "schema.py"))["text"]()
    assert (WORKFLOW / "params.schema.yaml").read_text() == made, "run make schema"


def test_no_parameter_is_called_as_what_the_schema_leaves_out():
    properties = [
        name
        for section in Params.model_json_schema()["$defs"].values()
        for name in section.get("properties", {})
    ]
    assert "default" not in properties


def test_a_section_that_may_be_null_has_no_defaults_that_snakemake_would_fill_in():
    schema = (WORKFLOW / "params.schema.yaml").read_text()
    assert re.search(r"^ *default:", schema, flags=re.M) is None
