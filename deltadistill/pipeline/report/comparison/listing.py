"""settings.json of a sweep: its settings, their values, and which networks are measured where."""

from typing import Any

from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A variant as `variants` in the parameters has it: the network it reads and how it predicts."""

    network: str
    predict: str


@dataclass(frozen=True)
class Listed:
    """One setting, or one teacher with what stands beside all of its settings.

    values: of every swept key. rows: the variants measured there, by name.
    """

    name: str
    dataset: str
    values: dict[str, Any]
    rows: dict[str, Row]


@dataclass(frozen=True)
class Listing:
    """The content of settings.json; `colour` is the key that colours the figure of all settings."""

    sweep: str
    seeds: tuple[int, ...]
    keys: tuple[str, ...]
    colour: str
    settings: tuple[Listed, ...]
    teachers: tuple[Listed, ...]
