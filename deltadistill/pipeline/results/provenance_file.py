"""provenance.json of a stage run, which tracking writes: when, how long, from which commit and parameters."""

from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.fields import Count, Positive


@dataclass(frozen=True)
class Provenance:
    """What the report reads of a stage run."""

    stage: str
    minutes: Positive
    seed: Count | None = None
    variant: str | None = None
    started: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    params: Any = None
    versions: dict[str, Any] = Field(default_factory=dict)
