"""The settings of a sweep: each a whole, checked set of parameters, with a name of its own.

A name says what differs from the base, so that a further value or key leaves the others' names, and with them
what was already trained, as they are.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from deltadistill.pipeline import params as parameters
from deltadistill.pipeline.params import ParameterSweep
from deltadistill.pipeline.params.sweep import SWEPT_SECTIONS

BASE = "base"  # the name of what differs in nothing
OF_DATA = ("prepare_dataset",)  # what decides a data set …
OF_TEACHER = ("prepare_dataset", "model", "pretrain_teacher")  # … and a teacher
LONGEST = 80  # letters of a name; it is part of a path

Values = dict[str, Any]  # by full key


@dataclass(frozen=True)
class Part:
    """A combination of values of some keys: its name, its values by key, and whole parameters with them."""

    name: str
    values: Values
    params: dict[str, Any]


@dataclass(frozen=True)
class Setting(Part):
    """A combination of values of all swept keys, and what it shares with settings that agree in part."""

    dataset: Part
    teacher: Part


def settings_of(sweep: ParameterSweep, base: Mapping[str, Any], *, name: str) -> list[Setting]:
    """Every setting of the sweep called `name` over the parameters `base`, each once.

    Raises ValueError that names the setting where its parameters are not valid.
    """
    _require_known(sweep, base)
    if base.get("label_frames", {}).get("folders"):
        raise ValueError(f"sweep {name}: sweeps train on true labels alone; set label_frames.folders to []")
    labels = _labels(sweep.keys)
    found: dict[str, Setting] = {}
    for chosen in _combinations(sweep):
        setting = _setting(sweep, base, chosen, labels, sweep_name=name)
        if found.setdefault(setting.name, setting) != setting:
            raise ValueError(
                f"sweep {name}: {setting.values} and {found[setting.name].values} would both be called "
                f"{setting.name!r}; write one of the values in another way"
            )
    return list(found.values())


def _combinations(sweep: ParameterSweep) -> list[Values]:
    combined = [dict(zip(sweep.over, values, strict=True)) for values in product(*sweep.over.values())]
    return (combined if sweep.over else []) + sweep.settings


def _setting(
    sweep: ParameterSweep,
    base: Mapping[str, Any],
    chosen: Values,
    labels: Mapping[str, str],
    *,
    sweep_name: str,
) -> Setting:
    dataset, teacher, whole = (
        _part(sweep, base, _within(chosen, sections), labels, sweep_name=sweep_name)
        for sections in (OF_DATA, OF_TEACHER, SWEPT_SECTIONS)
    )
    parameters.parse(whole.params, source=f"sweep {sweep_name}, setting {whole.name}")
    return Setting(whole.name, whole.values, whole.params, dataset, teacher)


def _part(
    sweep: ParameterSweep,
    base: Mapping[str, Any],
    chosen: Values,
    labels: Mapping[str, str],
    *,
    sweep_name: str,
) -> Part:
    params = deepcopy(dict(base))
    for key, value in chosen.items():
        _assign(params, key, deepcopy(value))
    values = {key: _get(params, key) for key in sweep.keys}
    name = _named({key: value for key, value in values.items() if value != _get(base, key)}, labels)
    params |= {"experiment": f"{sweep_name}_{name}", "seeds": list(sweep.seeds)}
    return Part(name, values, params)


def _require_known(sweep: ParameterSweep, base: Mapping[str, Any]) -> None:
    """Refuse names that the base does not have."""
    rows = base.get("variants", {})
    for what, names, known in (
        ("trainings", sweep.trainings, base["distill"]["trainings"]),
        ("beside", sweep.beside, rows),
    ):
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"{what} {unknown}: not in the parameters, which have {', '.join(known)}")
    several = [name for name, row in rows.items() if row.get("networks")]
    if wrong := [name for name in several if name in sweep.beside or _trains_for(rows[name], sweep)]:
        raise ValueError(
            f"variants.{wrong[0]} has further networks, which a sweep does not bring together; take it "
            "out of the parameters that the sweep starts from"
        )
    for name in sweep.trainings:
        if not any(row["network"] == f"distill/{name}" for row in rows.values()):
            raise ValueError(f"trainings {name!r}: no entry of `variants` predicts with distill/{name}")


def _trains_for(row: Mapping[str, Any], sweep: ParameterSweep) -> bool:
    """Whether the sweep trains a network of this entry of `variants`, so that each setting measures it."""
    return row["network"].removeprefix("distill/") in sweep.trainings


def _within(values: Values, sections: Iterable[str]) -> Values:
    return {key: value for key, value in values.items() if key.split(".")[0] in sections}


def _named(values: Values, labels: Mapping[str, str]) -> str:
    """A name of letters, digits and underscores; a long one ends with a digest instead."""
    parts = [f"{labels[key]}{_written(value)}" for key, value in sorted(values.items())]
    name = "_".join(parts) or BASE
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9].rstrip('_')}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _labels(keys: list[str]) -> dict[str, str]:
    """The last word of each key; more of it where two keys end alike."""
    ends = [key.rsplit(".", 1)[-1] for key in keys]
    return {
        key: end if ends.count(end) == 1 else key.replace(".", "_")
        for key, end in zip(keys, ends, strict=True)
    }


def _written(value: Any) -> str:
    """A value as part of a name: 0.3 is 0p3, 1e-05 is 1em05; mappings are spelled out, of lists a digest."""
    if isinstance(value, dict):
        return "".join(f"_{_written(key)}{_written(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:6]
    text = str(value).lower().replace(".", "p").replace("-", "m").replace("+", "")
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")


def _get(values: Mapping[str, Any], key: str) -> Any:
    """The value at a full key; None where there is none."""
    found: Any = values
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for name in sections:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise ValueError(f"{key}: {name} is a value in the parameters, not a section")
    values[last] = value
