"""The stage graph of dvc.yaml and extensions/, or of a sweep, as DVC's own parser resolves it."""

import json
import re
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from deltadistill.files import atomic
from deltadistill.pipeline.stage_names import project_files, require_stages
from workflow import noted_code

PROJECT = "dvc.yaml"
BUSY_S = 1.0  # between two looks at a busy stage
MEMORY = Path(".pipeline")  # git-ignored
WHOLE_MACHINE = 100  # percent
MOST = 3  # times the memory that a stage names; more attempts than that go on from checkpoints


@dataclass(frozen=True)
class Stage:
    """One stage: its DVC address, the stages whose outputs it reads, and what dvc.yaml says under `meta`."""

    address: str
    after: tuple[str, ...]
    meta: dict[str, Any]

    @property
    def project(self) -> str:
        """The project file that the stage is written in, relative to the root."""
        return self.address.partition(":")[0] if ":" in self.address else PROJECT

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

        The second attempt asks for twice the memory, all further ones for three times as much, since the one
        before may have died of too little.

        On a cluster, a stage that wants a machine for itself asks for a whole node; `slurm_extra` is what the
        Slurm executor adds to its call of sbatch.
        """
        named = {name: value for name, value in self.meta.get("resources", {}).items() if name != "cpus"}
        if "mem_mb" in named:
            named["mem_mb"] = _growing(named["mem_mb"])
        return named | ({"slurm_extra": "--exclusive"} if named.get("machine") == WHOLE_MACHINE else {})

    @property
    def threads(self) -> int:
        """Processor threads."""
        return self.meta.get("resources", {}).get("cpus", 1)


def _growing(amount: int) -> Callable[[Any, int], int]:
    """A resource as a function, which Snakemake calls with the number of the attempt, from 1."""
    return lambda wildcards, attempt: amount * min(attempt, MOST)


def rule_name(address: str) -> str:
    """A DVC address with only the characters a Snakemake rule may have; a sweep's says no dvc.yaml."""
    return re.sub(r"\W", "_", address.removeprefix("sweeps/").replace(f"/{PROJECT}:", "/"))


def load(
    root: str,
    *,
    resources: Mapping[str, Mapping[str, int | None]],
    sweep: str | None = None,
    ask_what_is_stale: bool = True,
    may_run: bool = False,
) -> tuple[list[Stage], set[str]]:
    """The stages of the repository at `root`, and the addresses of those that DVC, if asked, calls stale.

    Those of dvc.yaml and of extensions/, or with `sweep` those of that sweep, which has been written.
    resources: what stages ask for in place of their meta.resources, by name (params.yaml: resources);
        ValueError for a name that no stage has.
    may_run: note which code the stages run, where that is out of date; else work out what it would be.
    """
    from dvc.repo import Repo
    from dvc.repo.index import Index

    require_stages(resources, Path(root))
    with Repo(root, _wait_for_lock=True) as repo:
        loaded = [stage for file in _files(root, sweep) for stage in Index.from_file(repo, file).stages]
        edges = Index(repo, stages=loaded).graph
        stages = [
            Stage(
                stage.addressing,
                tuple(sorted(before.addressing for before in edges.successors(stage))),
                _asking(stage.meta or {}, resources.get(_kind(stage.name), {})),
            )
            for stage in loaded
        ]
        asked = loaded if ask_what_is_stale else []
        return stages, _stale(repo, asked, root, may_run=may_run)


def _stale(repo: Any, asked: Sequence[Any], root: str, *, may_run: bool) -> set[str]:
    """The addresses of the stages that DVC calls stale, once it is noted which code they run."""
    noting = [stage for stage in asked if noted_code.is_noting(stage.addressing)]
    others = [stage for stage in asked if stage not in noting]
    is_noted = not any(_is_stale(repo, stage) for stage in noting)
    if not is_noted and may_run:
        noted_code.note(root)
    other_code = set() if is_noted or may_run else noted_code.out_of_date(root)
    return {
        stage.addressing
        for stage in others
        if any(str(dep) in other_code for dep in stage.deps) or _is_stale(repo, stage)
    }


def _kind(name: str) -> str:
    """The stage's own name: without seed and variant, which follow `@`, in a sweep's project `-` too."""
    return re.split("[@-]", name)[0]


def _asking(meta: Mapping[str, Any], instead: Mapping[str, int | None]) -> dict[str, Any]:
    known = {name: value for name, value in instead.items() if value is not None}
    return {**meta, "resources": meta.get("resources", {}) | known}


def _is_stale(repo: Any, stage: Any) -> bool:
    """What DVC says of a stage; while a process left over from a killed pipeline runs it, wait."""
    from dvc.lock import LockError

    said = False
    while True:
        try:
            with repo.lock:
                # Outputs first: of a stage that never ran, nothing that it depends on need be looked at.
                return stage.changed_outs() or bool(stage.status(check_updates=True))
        except LockError as error:
            if not said:
                print(f"waiting for {stage.addressing}: {error}", file=sys.stderr, flush=True)
            said = True
        time.sleep(BUSY_S)


def remember(root: str, stages: Collection[Stage], *, sweep: str | None = None) -> None:
    """Keep the resolved graph for the jobs, each of which would need seconds to have it from DVC again."""
    with atomic.file(_memory(root, sweep)) as beside:
        beside.write_text(json.dumps({stage.rule: asdict(stage) for stage in stages}))


def asked_for(arguments: Sequence[str]) -> list[str]:
    """The rules that Snakemake, called in a job with these arguments, is to run: `--target-jobs RULE: …`."""
    after = takewhile(
        lambda word: not word.startswith("-"), arguments[arguments.index("--target-jobs") + 1 :]
    )
    return [word.split(":")[0] for word in after]


def remembered(root: str, rules: Collection[str], *, sweep: str | None = None) -> list[Stage]:
    """The stages of these rule names, as they were remembered."""
    found = json.loads(_memory(root, sweep).read_text())
    return [Stage(**found[rule] | {"after": tuple(found[rule]["after"])}) for rule in rules]


def _memory(root: str, sweep: str | None) -> Path:
    return Path(root, MEMORY, f"graph{f'-{sweep}' if sweep else ''}.json")


def _files(root: str, sweep: str | None) -> list[str]:
    """Absolute paths of the project files that the graph is made of."""
    if sweep is None:
        return [str(file) for file in project_files(Path(root))]
    return sorted(map(str, Path(root, "sweeps", sweep).rglob(PROJECT)))
