"""DVC's list of busy files: mended where a killed process left it half-written, for DVC would refuse to run.

DVC empties the file before it writes it anew, under the lock that is taken here too. Where Slurm kills a
stage, DVC notices that, writes the file, and is killed itself meanwhile.
"""

import json
from pathlib import Path

BUSY = Path(".dvc", "tmp", "rwlock")


def mend(root: str) -> None:
    """Remove the list of the repository at `root` if it is damaged."""
    path = Path(root, BUSY)
    if _is_whole(path):
        return
    from dvc.lock import make_lock
    from dvc.repo import Repo

    with Repo(root) as repo:
        hardlink = repo.config["core"].get("hardlink_lock", False)
        with make_lock(f"{path}.lock", tmp_dir=repo.tmp_dir, hardlink_lock=hardlink, wait=True):
            if not _is_whole(path):
                path.unlink()


def _is_whole(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except FileNotFoundError:
        return True
    except json.JSONDecodeError:
        return False  # or somebody is writing it now, which the lock tells
    return True
