"""Files that DVC empties before it writes them anew: mended where a killed process left one half-written.

DVC would refuse to go on. They are its list of busy files, which can do without, and every dvc.lock, of which
the last whole state is kept in .pipeline/. DVC writes both under locks that are taken here too, so that a
file that is being written is waited for.
"""

import json
import shutil
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

if TYPE_CHECKING:
    from dvc.repo import Repo

BUSY = Path(".dvc", "tmp", "rwlock")
KEPT = Path(".pipeline", "kept")  # git-ignored
PROJECT, LOCK = "dvc.yaml", "dvc.lock"


def projects(root: str) -> list[str]:
    """The project files of a repository, its sweeps' among them, relative to `root`."""
    return [PROJECT, *(str(path.relative_to(root)) for path in sorted(Path(root, "sweeps").rglob(PROJECT)))]


def mend(root: str, project_files: Iterable[str]) -> None:
    """Mend the list of busy files of the repository at `root`, and the dvc.lock beside each project file."""
    _mend_busy(Path(root))
    for project in project_files:
        _mend_lock(Path(root), Path(project).with_name(LOCK))


def _mend_busy(root: Path) -> None:
    path = root / BUSY
    if _is_json(path):
        return
    from dvc.lock import make_lock

    with _repo(root) as repo:
        hardlink = repo.config["core"].get("hardlink_lock", False)
        with make_lock(f"{path}.lock", tmp_dir=repo.tmp_dir, hardlink_lock=hardlink, wait=True):
            if not _is_json(path):
                path.unlink()


def _mend_lock(root: Path, place: Path) -> None:
    """Keep a copy of a dvc.lock that is whole; bring the copy back for one that is not."""
    path, kept = root / place, root / KEPT / place
    if not path.is_file() or _looks_equal(path, kept):
        return
    if not _is_lock(path):
        with _repo(root) as repo, repo.lock:
            if not _is_lock(path):
                _bring_back(path, kept, place)
                return
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, kept)


def _bring_back(path: Path, kept: Path, place: Path) -> None:
    if kept.is_file():
        shutil.copy2(kept, path)
        since = f"is as it was at {datetime.fromtimestamp(kept.stat().st_mtime):%H:%M:%S} again"
    else:
        path.unlink()
        since = "is taken away"
    print(
        f"{place} was left half-written by a killed process, and {since}; what DVC does not find in it runs "
        "again, or comes from its cache",
        file=sys.stderr,
        flush=True,
    )


def _repo(root: Path) -> "Repo":
    from dvc.repo import Repo

    return Repo(str(root), _wait_for_lock=True)


def _looks_equal(path: Path, kept: Path) -> bool:
    """Whether nothing was written since the copy was made."""
    if not kept.is_file():
        return False
    one, other = path.stat(), kept.stat()
    return (one.st_mtime_ns, one.st_size) == (other.st_mtime_ns, other.st_size)


def _is_lock(path: Path) -> bool:
    """Whether DVC would read the file; it may be cut off in any place."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(path))
    except (YAMLError, UnicodeDecodeError, Invalid):
        return False
    return True


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except FileNotFoundError:
        return True
    except json.JSONDecodeError:
        return False  # or somebody is writing it now, which the lock tells
    return True
