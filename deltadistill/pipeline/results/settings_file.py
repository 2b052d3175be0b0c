"""settings.json of a sweep: its settings, their values, and which networks are measured where."""

from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from deltadistill.pipeline.params.evaluation import Role
from deltadistill.pipeline.results.variants import Variant, default_role


@dataclass(frozen=True)
class Row:
    """A variant as `variants` in the parameters has it: the network it reads and how it predicts.

    role: None in files of before roles were written; a training then is of the method that it is named by.
    """

    network: str
    predict: str
    role: Role | None = None
    label: str | None = None
    colour: str | None = Field(default=None, exclude_if=lambda value: value is None)


@dataclass(frozen=True)
class Listed:
    """One setting, or one teacher with what stands beside all of its settings.

    values: of every swept key. teacher: of a setting. rows: the variants measured there, by name.
    """

    name: str
    dataset: str
    values: dict[str, Any]
    rows: dict[str, Row]
    teacher: str | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def variants(self) -> dict[str, Variant]:
        """The part that each row plays in the comparison."""
        return {name: _variant(name, row) for name, row in self.rows.items()}


@dataclass(frozen=True)
class Listing:
    """The content of settings.json; `colour` is the key that colours the figure of all settings."""

    sweep: str
    seeds: tuple[int, ...]
    keys: tuple[str, ...]
    colour: str
    settings: tuple[Listed, ...]
    teachers: tuple[Listed, ...]


def _variant(name: str, row: Row) -> Variant:
    role = row.role or default_role(row.network.partition("/")[2] or None, row.predict)
    return Variant(row.predict, role, row.label or name, row.colour)
