"""The JSON schema of params.yaml, for Snakemake and editors, made from the types of its sections."""

import sys
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from deltadistill.pipeline.params import Params

PATH = Path(__file__).with_name("params.schema.yaml")
HEAD = "# Made by `make schema` from deltadistill/pipeline/params; a test fails when it is out of date.\n"


def text() -> str:
    """The schema file's content."""
    yaml = YAML()
    yaml.width = 110
    stream = StringIO()
    schema = Params.model_json_schema()
    yaml.dump({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, stream)
    return HEAD + stream.getvalue()


if __name__ == "__main__":
    PATH.write_text(text())
    sys.stdout.write(f"wrote {PATH.name}\n")
