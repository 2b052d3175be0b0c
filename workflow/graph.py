"""The stage graph of dvc.yaml, resolved by DVC's own parser, as the Snakefile needs it."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvc.repo import Repo

STAMPS = Path(".pipeline")  # one empty file per finished stage; git-ignored
WHOLE_MACHINE = 100  # percent
OLD = (1, 1)  # access and modification time of every stamp: equal, so that order never asks for a rerun


@dataclass(frozen=True)
class Stage:
    """One stage: its DVC address, the stages whose outputs it reads, and what dvc.yaml says under `meta`."""

    address: str
    after: tuple[str, ...]
    meta: dict[str, Any]

    @property
    def rule(self) -> str:
        """The address as a Snakemake rule name."""
        return rule_name(self.address)

    @property
    def log(self) -> str:
        """Where the output of the stage goes."""
        return f"logs/{self.rule}.log"

    @property
    def benchmark(self) -> str:
        """Where Snakemake notes time and memory of the stage."""
        return f"logs/benchmarks/{self.rule}.tsv"

    @property
    def resources(self) -> dict[str, Any]:
        """Memory, minutes, GPUs and share of the machine; processor threads are apart.

        On a cluster, a stage that wants a machine for itself asks for a whole node; `slurm_extra` is what the
        Slurm executor adds to its call of sbatch.
        """
        named = {name: value for name, value in self.meta.get("resources", {}).items() if name != "cpus"}
        return named | ({"slurm_extra": "--exclusive"} if named.get("machine") == WHOLE_MACHINE else {})

    @property
    def threads(self) -> int:
        """Processor threads."""
        return self.meta.get("resources", {}).get("cpus", 1)


def rule_name(address: str) -> str:
    """A DVC address with only the characters a Snakemake rule may have."""
    return re.sub(r"\W", "_", address)


def stamp(address: str) -> str:
    """The file that says a stage is up to date."""
    return str(STAMPS / f"{address}.done")


def load(root: str, *, refresh: bool) -> list[Stage]:
    """Read the stages of the repository at `root`.

    With `refresh` every stamp is made to say what DVC says now: there for a stage that is up to date, gone
    for one that is stale. DVC alone decides what has to run; Snakemake sees it through the stamps.
    """
    from dvc.repo import Repo

    with Repo(root, _wait_for_lock=True) as repo:
        _mend(repo)
        graph = repo.index.graph
        stages = [
            Stage(
                stage.addressing,
                tuple(sorted(d.addressing for d in graph.successors(stage))),
                stage.meta or {},
            )
            for stage in repo.index.stages
        ]
        if refresh:
            _refresh(Path(root), stages, stale=set(repo.status()))
    return stages


def _mend(repo: "Repo") -> None:
    """Remove DVC's list of busy files if a killed process left it half-written: DVC would refuse to go on.

    DVC empties the file before it writes it anew, under the lock that is taken here too. Where Slurm kills a
    stage, DVC notices that, writes the file, and is killed itself meanwhile.
    """
    from dvc.lock import make_lock

    path = Path(repo.tmp_dir, "rwlock")
    hardlink = repo.config["core"].get("hardlink_lock", False)
    with make_lock(f"{path}.lock", tmp_dir=repo.tmp_dir, hardlink_lock=hardlink, wait=True):
        try:
            json.loads(path.read_text())
        except FileNotFoundError:
            return
        except json.JSONDecodeError:
            path.unlink()


def _refresh(root: Path, stages: list[Stage], *, stale: set[str]) -> None:
    (root / STAMPS).mkdir(exist_ok=True)
    for stage in stages:
        path = root / stamp(stage.address)
        if stage.address in stale:
            path.unlink(missing_ok=True)
        else:
            path.touch()
            os.utime(path, OLD)
