"""The values of an overlay, key by key, and how one is set in the document of the parameters."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from ruamel.yaml.comments import CommentedMap

from deltadistill.files import commented_yaml

REPLACE = "!replace"

Key = tuple[str, ...]


def value_at(document: Any, key: Sequence[str]) -> Any:
    """What plain parameters have under a key; None for nothing."""
    for name in key:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def leaves(overlay: CommentedMap, prefix: Key = ()) -> list[tuple[Key, Any]]:
    """The leaves of an overlay with their full keys; a mapping tagged !replace is a leaf."""
    found: list[tuple[Key, Any]] = []
    for name, value in overlay.items():
        if isinstance(value, CommentedMap) and value and value.tag.value != REPLACE:
            found += leaves(value, (*prefix, name))
        else:
            found.append(((*prefix, name), value))
    return found


def assigned(extra: Sequence[str]) -> list[tuple[Key, Any]]:
    """Keys and values of texts section.key=value; ValueError for another form."""
    for assignment in extra:
        if "=" not in assignment:
            raise ValueError(f"--set {assignment}: expected section.key=value")
    pairs = (assignment.split("=", 1) for assignment in extra)
    return [(tuple(key.split(".")), commented_yaml.load(value, name=f"--set {key}")) for key, value in pairs]


def set_value(document: CommentedMap, key: Key, value: Any) -> dict[str, Any]:
    """Set one key and return what that changed; without `before` if the key is new."""
    parent = section_of(document, key)
    change = {"key": list(key), "after": deepcopy(commented_yaml.plain(value))}
    if key[-1] in parent:
        change["before"] = deepcopy(commented_yaml.plain(parent[key[-1]]))
    commented_yaml.assign(parent, key[-1], commented_yaml.plain(value))
    return change


def section_of(document: CommentedMap, key: Key) -> CommentedMap:
    """The mapping that has a key's last name, made where it is missing; ValueError where a value is there."""
    for depth, name in enumerate(key[:-1], start=1):
        document = document.setdefault(name, CommentedMap())
        if not isinstance(document, CommentedMap):
            raise ValueError(
                f"{'.'.join(key[:depth])} is a value in params.yaml, not a section; got {'.'.join(key)}"
            )
    return document
