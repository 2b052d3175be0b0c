"""Experiments as overlays: put a few values on top of params.yaml, and take exactly those off again.

An overlay (experiments/*.yaml) holds only the values it changes and names itself with `experiment`. Mappings
merge, lists and scalars replace; a mapping tagged `!replace` replaces the whole mapping. What was there is
kept in .overlay.yaml until the overlay is taken off.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from deltadistill.files import atomic, commented_yaml
from deltadistill.files.plain_yaml import parse_yaml, read_yaml_text
from deltadistill.pipeline import params
from deltadistill.pipeline.commands import run_to_end
from deltadistill.pipeline.overlay_values import Key, assigned, leaves, section_of, set_value, value_at

PARAMS = Path("params.yaml")
RECORD = Path(".overlay.yaml")
FOLDER = Path("experiments")
_KEPT = {"overlay", "extra", "changes", "before", "after"}

log = logging.getLogger(__name__)


def put(overlay: Path, extra: Sequence[str] = ()) -> list[Key]:
    """Put `overlay` on params.yaml and return the keys it changes; one that is on already is taken off first.

    Args:
        overlay: the overlay's file.
        extra: further values as `section.key=value`, applied after the file's.

    Raises ValueError, before anything is written, if the result is not a valid set of parameters.
    """
    before = _text_without_overlay()
    document, changes = _changed(before, overlay, extra)
    after = commented_yaml.dump(document)
    params.parse(parse_yaml(after, name=f"{PARAMS} with {overlay}"), source=f"params.yaml with {overlay}")
    off()
    record = {
        "overlay": str(overlay),
        "extra": list(extra),
        "changes": changes,
        "before": before,
        "after": after,
    }
    _write(RECORD, commented_yaml.dump(record))
    _write(PARAMS, after)
    return [tuple(change["key"]) for change in changes]


def values_under(overlay: Path | None, extra: Sequence[str] = ()) -> dict[str, Any]:
    """The content of params.yaml under `overlay` (None: under none), whatever is on; nothing is written.

    extra: further values as for `put`, where there is an overlay.
    """
    text = _text_without_overlay()
    document = _changed(text, overlay, extra)[0] if overlay else _sections(text)
    return parse_yaml(commented_yaml.dump(document), name=PARAMS)


def _changed(before: str, overlay: Path, extra: Sequence[str]) -> tuple[CommentedMap, list[dict[str, Any]]]:
    """The document with an overlay and further values on it, and what that changed."""
    document = _sections(before)
    values = [*leaves(_read_overlay(overlay)), *assigned(extra)]
    changes = [set_value(document, key, value) for key, value in values]
    _refuse_the_base_name(document, before, overlay)
    return document, changes


def off() -> list[Key]:
    """Take the overlay off, if one is on, and return the keys that got their values back.

    Without edits in between params.yaml becomes, byte for byte, what it was; otherwise the overlay's own keys
    are put back, with a warning where one was edited, and every other edit stays.
    """
    record = _record()
    if record is None:
        return []
    text = _text_without_overlay()
    for change in _edited(record):
        log.warning("%s was edited while the overlay was on; its own value is back", ".".join(change["key"]))
    _write(PARAMS, text)
    RECORD.unlink()
    return [tuple(change["key"]) for change in record["changes"]]


def show() -> str:
    """What is on: the overlay's name and each key with its value before and now."""
    record = _record()
    if record is None:
        return "no overlay is on"
    lines = [f"{record['overlay']} is on {PARAMS}:"]
    for change in record["changes"]:
        lines.append(
            f"  {'.'.join(change['key'])}: {change.get('before', '(not there)')} → {change['after']}"
        )
    return "\n".join(lines)


def during(overlay: Path, extra: Sequence[str], command: Sequence[str]) -> int:
    """Run `command` with the overlay on and return its exit code; then what was on before is on again.

    Ctrl-C, SIGHUP and SIGTERM are handed on to the command; the overlay comes off when the command has ended.
    """
    previous = _record()
    put(overlay, extra)
    try:
        return run_to_end(command)
    finally:
        off()
        if previous:
            put(Path(previous["overlay"]), previous["extra"])


def _text_without_overlay() -> str:
    """params.yaml as it would be with no overlay on."""
    text, record = _params_text(), _record()
    if record is None or text == record["before"]:  # equal: interrupted between writing the two files
        return text
    if text == record["after"]:
        return record["before"]
    document, original = _sections(text), _sections(record["before"])
    for change in reversed(record["changes"]):
        *_, name = key = tuple(change["key"])
        if "before" in change:
            commented_yaml.restore(section_of(document, key), name, section_of(original, key))
        else:
            section_of(document, key).pop(name, None)
    return commented_yaml.dump(document)


def _edited(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The overlay's changes that params.yaml no longer shows as they were made."""
    text = _params_text()
    if text in (record["before"], record["after"]):
        return []
    document = commented_yaml.plain(_sections(text))
    return [change for change in record["changes"] if value_at(document, change["key"]) != change["after"]]


def _read_overlay(path: Path) -> CommentedMap:
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml"))) or "none"
        raise ValueError(f"{path}: no such overlay; there are: {known}")
    content = commented_yaml.load(path)
    if not isinstance(content, CommentedMap) or "experiment" not in content:
        raise ValueError(f"{path}: an overlay names itself; add a line `experiment: {path.stem}`")
    return content


def _refuse_the_base_name(document: CommentedMap, before: str, overlay: Path) -> None:
    base = _sections(before).get("experiment")
    if document["experiment"] == base:
        raise ValueError(
            f"{overlay}: experiment {base!r} is the name of {PARAMS} itself, "
            "whose results would be overwritten; "
            f"give the overlay a name of its own, as `experiment: {overlay.stem}`"
        )


def _params_text() -> str:
    if not PARAMS.is_file():
        raise ValueError(f"{PARAMS}: no such parameter file in {Path.cwd()}; run from the project's folder")
    return read_yaml_text(PARAMS)


def _sections(text: str) -> CommentedMap:
    """The text of params.yaml as a document."""
    document = commented_yaml.load(text, name=PARAMS)
    if not isinstance(document, CommentedMap):
        raise ValueError(
            f"{PARAMS}: expected sections, got {type(document).__name__}; bring it back from git"
        )
    return document


def _record() -> dict[str, Any] | None:
    """What is on, None for nothing; a damaged record is refused: an overlay may still be on."""
    if not RECORD.is_file():
        return None
    try:
        record = parse_yaml(read_yaml_text(RECORD), name=RECORD)
    except ValueError:
        record = None
    if not _is_record(record):
        raise ValueError(
            f"{RECORD} is damaged ({RECORD.stat().st_size} bytes, expected {', '.join(sorted(_KEPT))}), "
            f"so the overlay that is on cannot be taken off; put {PARAMS} right by hand "
            f"(git diff {PARAMS}), then delete {RECORD}"
        )
    return record


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or not record.keys() >= _KEPT:
        return False
    changes, texts = record["changes"], (record["overlay"], record["before"], record["after"])
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(record["extra"], list)
        and isinstance(changes, list)
        and all(_is_change(change) for change in changes)
    )


def _is_change(change: Any) -> bool:
    if not isinstance(change, dict) or "after" not in change:
        return False
    key = change.get("key")
    return isinstance(key, list) and bool(key) and all(isinstance(name, str) for name in key)


def _write(path: Path, text: str) -> None:
    with atomic.file(path) as beside:
        beside.write_text(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: put, off, show, during."""
    parser = argparse.ArgumentParser(prog="python -m deltadistill.pipeline.experiments", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for name, text in (("put", "put an overlay on"), ("during", "run a command with an overlay on")):
        action = actions.add_parser(name, help=text)
        action.add_argument("overlay", type=Path, help="the overlay's file")
        action.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a further value")
    action.add_argument("command", nargs="+", help="the command, after --")
    actions.add_parser("off", help="take the overlay off")
    actions.add_parser("show", help="show what is on")
    given = parser.parse_args(arguments)
    try:
        if given.action == "during":
            return during(given.overlay, given.set, given.command)
        if given.action == "put":
            put(given.overlay, given.set)
        elif given.action == "off":
            back = off()
            print("put back: " + ", ".join(".".join(key) for key in back) if back else "no overlay was on")
            return 0
        print(show())
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
