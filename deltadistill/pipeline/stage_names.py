"""The stages that there are: those of dvc.yaml, and those that extensions/ adds."""

from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

from deltadistill.files.plain_yaml import parse_yaml, read_yaml_text

PROJECT = "dvc.yaml"
EXTENSIONS = "extensions"


def project_files(root: Path = Path()) -> list[Path]:
    """dvc.yaml, and the project file of every extension, by name."""
    return [root / PROJECT, *sorted((root / EXTENSIONS).glob(f"*/{PROJECT}"))]


def stage_names(root: Path = Path()) -> list[str]:
    """The names of all stages, as they stand in the project files: without seeds and variants."""
    return [name for file in project_files(root) for name in _stages(file)]


def require_stages(named: Iterable[str], root: Path = Path()) -> None:
    """Raise ValueError for names under `resources` that no stage has."""
    if not (asked := set(named)):
        return  # and no file is read
    known = stage_names(root)
    if unknown := sorted(asked - set(known)):
        raise ValueError(
            f"resources: {unknown[0]!r} is not one of {known}, the stages of {PROJECT} and {EXTENSIONS}/"
        )


def _stages(file: Path) -> list[str]:
    content = parse_yaml(read_yaml_text(file), name=file, yaml=YAML(typ="safe"))
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        raise ValueError(f"{file}: no stages in it; expected what DVC reads, stages: {{name: …}}")
    return list(stages)
