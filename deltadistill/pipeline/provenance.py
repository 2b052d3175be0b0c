"""Where a result comes from: commit, params, versions and times, as provenance.json beside it."""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any

from ruamel.yaml import YAML

from deltadistill.files import atomic

FILE_NAME = "provenance.json"
EXECUTION = "PIPELINE_RUN"  # environment variable that names one execution of the pipeline
PACKAGES = ("deltadistill", "torch", "torchvision", "numpy", "opencv-python-headless", "av")
CODE = (
    "deltadistill",
    "extensions",
    "networks",
    "stages",
    "dvc.yaml",
    "pyproject.toml",
    "constraints.txt",
    "weights",
)


@dataclass(frozen=True)
class Provenance:
    """One run of one stage, from the moment the object is made until `write`.

    variant: of `variants` or `distill.trainings`, where the stage runs once for each.
    """

    stage: str
    params: Mapping[str, Any]
    seed: int | None = None
    variant: str | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock_s: float = field(default_factory=time.monotonic)

    @property
    def title(self) -> str:
        """The run in a few words, such as `distill · delta · seed 0`."""
        seed = None if self.seed is None else f"seed {self.seed}"
        return " · ".join(part for part in (self.stage, self.variant, seed) if part)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write provenance.json into `folder` and return what it holds; `minutes` counts from the start."""
        record = {
            "stage": self.stage,
            "seed": self.seed,
            "variant": self.variant,
            "started": self.started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "minutes": round((time.monotonic() - self.clock_s) / 60, 4),
            "commit": commit(),
            "dirty": dirty(),
            "params": self.params,
            "versions": versions(),
        }
        with atomic.file(folder / FILE_NAME) as path:
            path.write_text(json.dumps(record, indent=2) + "\n")
        return record


def stage_params(params: Any, stage: str, variant: str | None = None) -> dict[str, Any]:
    """The part of the parameters that a stage run can depend on, as plain values.

    Args:
        params: the whole `deltadistill.pipeline.params.Params`, or a mapping of the same form.
        stage: name of the stage and of its section.
        variant: keep only this entry of the section's `trainings` and of the map `variants`.

    Returns:
        what all stages share (experiment, seeds, model), the stage's own section, and the evaluated variant.
    """
    everything = plain(params)
    kept = {name: everything[name] for name in ("experiment", "seeds", "model", stage) if name in everything}
    if variant is None:
        return kept
    if variant in everything.get("variants", {}):
        kept["variants"] = everything["variants"]
    return {name: _one_variant(section, name, variant) for name, section in kept.items()}


def _one_variant(section: Any, name: str, variant: str) -> Any:
    if name == "variants":
        return {variant: section[variant]}
    if isinstance(section, Mapping) and variant in (section.get("trainings") or {}):
        return {**section, "trainings": {variant: section["trainings"][variant]}}
    return section


def plain(params: Any) -> dict[str, Any]:
    """Parameters as a dictionary of plain JSON values, from the typed object or a mapping."""
    values = params.model_dump(mode="json") if hasattr(params, "model_dump") else dict(params)
    return json.loads(json.dumps(values, default=str))


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names; lists stay values."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def commit() -> str | None:
    """The commit that is checked out, or None outside a git repository."""
    return git("rev-parse", "HEAD")


def dirty() -> bool | None:
    """Whether the code differs from the commit.

    Neither results, which every run rewrites, nor params.yaml count: an overlay changes that on purpose, and
    the record holds the values that the stage ran with.
    """
    changed = git("status", "--porcelain", "--", *CODE)
    return None if changed is None else bool(changed)


def git(*arguments: str) -> str | None:
    """What git prints, stripped; None where git or a repository is missing."""
    try:
        done = subprocess.run(("git", *arguments), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a result depends on, as far as they are installed."""
    found = {"python": python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def execution_key(params: Mapping[str, Any], head: str) -> str:
    """What the stages of one pipeline execution have in common: $PIPELINE_RUN, or else code and params."""
    content = f"{head}{json.dumps(params, sort_keys=True)}"
    return os.environ.get(EXECUTION) or hashlib.sha256(content.encode()).hexdigest()[:16]


def execution_name(params: Mapping[str, Any], head: str) -> str:
    """A name that tells executions apart: the experiment and what differs from the committed params.yaml."""
    name = str(params.get("experiment", "pipeline"))
    committed = git("show", "HEAD:params.yaml")
    before = flatten(YAML(typ="safe").load(committed)) if committed else {}
    changed = [f"{key}={value}" for key, value in flatten(params).items() if before.get(key, value) != value]
    changed = [change for change in changed if not change.startswith("experiment=")]
    shown = ", ".join(change.split(".", 1)[-1] for change in changed[:3]) + (" …" if len(changed) > 3 else "")
    return f"{name}: {shown}" if changed else f"{name} @ {head[:7]}"
