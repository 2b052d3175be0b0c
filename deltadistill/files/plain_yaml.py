"""YAML as plain values: no object of any class, no text that unfolds to more than a parameter file can be."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, NodeEvent

from deltadistill.files.limits import MOST_YAML_BYTES, MOST_YAML_DEPTH, MOST_YAML_VALUES
from deltadistill.files.text import read_text

_REMEDY = "bring it back from git, or write it anew"


def read_yaml_text(path: Path) -> str:
    """Return the text of a YAML file; ValueError as of `read_text`."""
    return read_text(path, most_bytes=MOST_YAML_BYTES, remedy=_REMEDY)


def parse_yaml(text: str, *, name: object, yaml: YAML | None = None) -> Any:
    """Return the value of YAML text, by default as plain values.

    name: what is read, for errors. yaml: another loader, such as one that keeps comments.
    Raises ValueError with `name`, the fault and its place.
    """
    try:
        refuse_floods(text)
        if yaml is None and (found := _quickly(text)):
            return found[0]
        return (yaml or YAML(typ="safe", pure=True)).load(text)
    except RecursionError:
        raise ValueError(f"{name}: not valid YAML: it is nested too deeply") from None
    except Exception as error:  # ruamel raises what its constructors of numbers, dates and tags raise
        raise ValueError(f"{name}: not valid YAML: {error}") from error


def _quickly(text: str) -> tuple[Any] | None:
    """The value by libyaml, in a tenth of the time, where it is installed and finds no fault; else None.

    What is wrong is told in the words of the parser in Python. A text that names its version of YAML is
    left to that too: libyaml reads every text as 1.2.
    """
    if re.search("^%", text, flags=re.MULTILINE):
        return None
    try:
        return (YAML(typ="safe").load(text),)
    except Exception:
        return None


def refuse_floods(text: str) -> None:
    """ValueError for YAML that is nested too deeply, or whose references unfold to too many values."""
    try:
        _require_few(YAML(typ="safe").parse(text))  # by libyaml, where it is installed
    except YAMLError:
        _require_few(YAML(typ="safe", pure=True).parse(text))


def _require_few(events: Iterable[Event]) -> None:
    values = [0]  # of every open collection, those of the whole text first
    names: list[str | None] = []
    known: dict[str, int] = {}
    for event in events:
        if isinstance(event, AliasEvent):
            if event.anchor not in known:
                raise ValueError(f"*{event.anchor} refers to what holds it, or to nothing")
            values[-1] += known[event.anchor]
        elif isinstance(event, CollectionEndEvent):
            count = values.pop() + 1
            _remember(known, names.pop(), count)
            values[-1] += count
        elif isinstance(event, CollectionStartEvent):
            values.append(0)
            names.append(event.anchor)
        elif isinstance(event, NodeEvent):
            _remember(known, event.anchor, 1)
            values[-1] += 1
        if sum(values) > MOST_YAML_VALUES:
            raise ValueError(f"it unfolds to more than the {MOST_YAML_VALUES} values allowed")
        if len(values) > MOST_YAML_DEPTH:
            raise ValueError(f"it is nested more than {MOST_YAML_DEPTH} deep")


def _remember(known: dict[str, int], name: str | None, count: int) -> None:
    if name is not None:
        known[name] = count
