"""The JSON schema of params.yaml, for Snakemake and editors, made from the types of its sections."""

import sys
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from deltadistill.pipeline.params import Params

PATH = Path(__file__).with_name("params.schema.yaml")
HEAD = "# Made by `make schema` from deltadistill/pipeline/params; a test fails when it is out of date.\n"


def text() -> str:
    """The schema file's content."""
    yaml = YAML()
    yaml.width = 110
    stream = StringIO()
    schema = _without_defaults(Params.model_json_schema())
    yaml.dump({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, stream)
    return HEAD + stream.getvalue()


def _without_defaults(schema: Any) -> Any:
    """The schema without what pydantic fills in: Snakemake's validator would do so too, in what is null."""
    if isinstance(schema, list):
        return [_without_defaults(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _without_defaults(value) for name, value in schema.items() if name != "default"}


if __name__ == "__main__":
    PATH.write_text(text())
    sys.stdout.write(f"wrote {PATH.name}\n")
