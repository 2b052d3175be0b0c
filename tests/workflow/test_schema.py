"""workflow/params.schema.yaml says what deltadistill/pipeline/params says."""

from pathlib import Path
from runpy import run_path

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


def test_the_schema_is_up_to_date():
    made = run_path(str(WORKFLOW / "schema.py"))["text"]()
    assert (WORKFLOW / "params.schema.yaml").read_text() == made, "run make schema"
