"""YAML that is edited in place: comments, order and layout of the rest stay as they are."""

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

from deltadistill.files.plain_yaml import parse_yaml, read_yaml_text


def load(source: Any, *, name: object = None) -> Any:
    """Read YAML (text or a path) so that `dump` gives it back unchanged.

    Raises ValueError with the `name` of what is read (without one, the path) and the place of the fault.
    """
    text = read_yaml_text(source) if isinstance(source, Path) else source
    return parse_yaml(text, name=name or source, yaml=_yaml())


def dump(document: Any) -> str:
    """A document as text."""
    stream = StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()


def assign(parent: CommentedMap, name: str, value: Any) -> None:
    """Set a value; a list or mapping takes over the line comment that hangs on the one before it."""
    new = _laid_out(value)
    old = parent.get(name)
    if isinstance(old, CommentedMap | CommentedSeq) and isinstance(new, CommentedMap | CommentedSeq):
        new.ca.comment = old.ca.comment
    parent[name] = new


def plain(value: Any) -> Any:
    """A value without tags, comments and layout."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def restore(parent: CommentedMap, name: str, source: CommentedMap) -> None:
    """Set a value to what it is in `source`, the same mapping of another document, comments included."""
    parent[name] = source[name]
    if name in source.ca.items:
        parent.ca.items[name] = source.ca.items[name]


def _laid_out(value: Any) -> Any:
    """A plain value on one line, as the lists in params.yaml are; a mapping of mappings line by line."""
    if isinstance(value, dict):
        mapping = CommentedMap((name, _laid_out(inner)) for name, inner in value.items())
        if not any(isinstance(inner, dict) for inner in value.values()):
            mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(_laid_out(inner) for inner in value)
        sequence.fa.set_flow_style()
        return sequence
    return value


class _Representer(RoundTripRepresenter):
    """Writes None as null; a class of its own, since what is added to one holds for all that use it."""


_Representer.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _yaml() -> YAML:
    """Reads and writes with comments and layout kept."""
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
