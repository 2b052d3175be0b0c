"""Merges every dvc.lock that a git merge left in conflict, stage by stage.

    git merge other
    python -m workflow.merge_lock

Each stage keeps the entry of the branch that changed it. Where both did, in different ways, neither ran with
what the merge holds: the entry is taken away, and the stage runs again. A merge by lines could put what one
branch depended on beside what the other made, so .gitattributes forbids it.
"""

import subprocess
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from deltadistill.files import atomic

Entries = Mapping[str, Any]
BASE, OURS, THEIRS = 1, 2, 3  # what git calls the stages of a file in conflict


def main() -> None:
    """Merge the files in conflict, and say what has to run again; git add is left to the user."""
    names = _git("diff", "--name-only", "--diff-filter=U", "-z").split("\0")
    locks = [name for name in names if Path(name).name == "dvc.lock"]
    if not locks:
        sys.exit("merge_lock: no dvc.lock is in conflict; first git merge, then this")
    for name in locks:
        base, ours, theirs = (_content(name, version) for version in (BASE, OURS, THEIRS))
        entries = merged(*(content.get("stages", {}) for content in (base, ours, theirs)))
        _write(Path(name), {**ours, "stages": entries})
        print(f"{name}: merged; to run again: {', '.join(undecided(ours, theirs, entries)) or 'nothing'}")


def merged(base: Entries, ours: Entries, theirs: Entries) -> dict[str, Any]:
    """The entries that at most one branch has changed, or both alike; in the order of ours."""
    names = dict.fromkeys([*ours, *theirs])
    entries = {name: _entry(base.get(name), ours.get(name), theirs.get(name)) for name in names}
    return {name: entry for name, entry in entries.items() if entry is not None}


def _entry(before: Any, mine: Any, other: Any) -> Any:
    if mine == before:
        return other
    return mine if other in (before, mine) else None


def undecided(ours: Mapping[str, Entries], theirs: Mapping[str, Entries], kept: Entries) -> list[str]:
    """The stages that both branches have an entry of, and the merge has none."""
    return [name for name in ours.get("stages", {}) if name in theirs.get("stages", {}) and name not in kept]


def _content(name: str, version: int) -> dict[str, Any]:
    """A file of the merge as one of its sides has it; empty where it is not there."""
    done = subprocess.run(["git", "show", f":{version}:{name}"], capture_output=True, text=True, check=False)
    return YAML(typ="safe").load(done.stdout) or {} if done.returncode == 0 else {}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    yaml = YAML()
    yaml.default_flow_style = False
    text = StringIO()
    yaml.dump(dict(content), text)
    with atomic.file(path) as beside:
        beside.write_text(text.getvalue())


def _git(*arguments: str) -> str:
    return subprocess.run(("git", *arguments), capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
