"""A small real pipeline in a folder of its own: run, killed at a moment, and looked at afterwards."""

import contextlib
import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import smoke

from deltadistill.files import commented_yaml
from deltadistill.pipeline.stage_names import stage_names
from deltadistill.stored.network_file import read_network_file

NOTING = "trace_code"  # comes before every run, and takes a second
STAGES = tuple(stage for stage in stage_names(smoke.ROOT) if stage not in ("label_frames", NOTING))
LOCKED = "python -m workflow.pipeline_lock"
CHECKED = "python -m workflow.preflight"
TOOLS = (  # as make run and make snakemake call them
    f"{LOCKED} bash -c '{CHECKED} && python -m workflow.repro'",
    f"{CHECKED} && snakemake --quiet rules",
)
PATIENCE_S = 900
# What differs between two whole runs of the same thing: when it was, and how long it took.
TIMES = {"minutes", "latency", "milliseconds", "commit", "dirty", "started", "environment"}
OF_TIME = ("provenance.json", "measure_latency/", "report.html", "figures/", "animations/")


class Pipeline:
    """Real stages at toy size; trainings are long enough to be killed in, with a checkpoint per step."""

    def __init__(self, folder: Path, stages: Collection[str] = STAGES):
        self.folder = folder
        smoke.copy_working_tree(folder)
        smoke.keep_variants(folder, {"teacher", "delta"})
        params = commented_yaml.load(folder / "params.yaml")
        for section in ("pretrain_teacher", "distill"):
            params[section] |= {"steps": 24, "evaluate_every": 8}
        params["training"]["checkpoint_minutes"] = 0.0001
        (folder / "params.yaml").write_text(commented_yaml.dump(params))
        graph = commented_yaml.load(folder / "dvc.yaml")
        for name in set(graph["stages"]) - {NOTING, *stages}:
            del graph["stages"][name]
        (folder / "dvc.yaml").write_text(commented_yaml.dump(graph))
        smoke.call(folder, ("git", "commit", "--quiet", "--all", "--message", "toy"))

    def finish(self, tool: str) -> str:
        """Run to the end and return what was printed."""
        with self._running(tool) as process:
            assert process.wait(PATIENCE_S) == 0, self.log()
        return self.log()

    def kill_in(self, stage: str, tool: str, seconds: float) -> bool:
        """Run, and kill everything `seconds` after a script of `stage` has begun; whether that still ran."""
        with self._running(tool) as process:
            began = time.monotonic()
            while not self._runs(process, stage):
                if process.poll() is not None:
                    assert process.returncode == 0, self.log()
                    return False
                assert time.monotonic() - began < PATIENCE_S, self.log()
                time.sleep(0.02)
            time.sleep(seconds)
            return self._runs(process, stage)

    def let_run(self, stage: str) -> None:
        """Should all runs of a stage be up to date, take away what one of them made."""
        stale = self.status()
        own = {address: outs for address, outs in self.outputs().items() if address.split("@")[0] == stage}
        if not any(address in stale for address in own):
            address, outs = next(iter(own.items()))
            for out in outs:
                shutil.rmtree(out) if out.is_dir() else out.unlink()
            self._forget(address)

    def _forget(self, address: str) -> None:
        """Take what a stage made out of DVC's cache, from which it would bring it back without a run."""
        cache = self.folder / ".dvc" / "cache"
        for out in commented_yaml.load(self.folder / "dvc.lock")["stages"][address]["outs"]:
            (cache / "files" / "md5" / out["md5"][:2] / out["md5"][2:]).unlink(missing_ok=True)
        shutil.rmtree(cache / "runs", ignore_errors=True)

    def log(self) -> str:
        """What the last run printed, and after it the logs of its stages."""
        logs = [self.folder / "run.log", *sorted(self.folder.glob("logs/*.log"))]
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in logs if log.is_file())

    def status(self) -> dict[str, Any]:
        """What DVC says is not up to date."""
        command = f"{LOCKED} dvc status --json"
        done = subprocess.run(
            command.split(),
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def outputs(self) -> dict[str, list[Path]]:
        """The outputs of every stage, by its address."""
        from dvc.repo import Repo

        with Repo(self.folder) as repo:
            return {stage.name: [Path(out.fs_path) for out in stage.outs] for stage in repo.index.stages}

    def digests(self, address_outputs: list[Path]) -> dict[str, str]:
        """A digest of each file of some outputs, without what tells the time."""
        files = [file for out in address_outputs for file in (out, *out.rglob("*")) if file.is_file()]
        named = {str(file.relative_to(self.folder)): file for file in files}
        return {
            name: digest(file) for name, file in named.items() if not any(part in name for part in OF_TIME)
        }

    def written(self) -> list[Path]:
        """All files that stages have written, without the hidden ones that a killed writer leaves beside."""
        tops = [self.folder / name for name in ("data", "artifacts", "results")]
        files = [file for top in tops for file in top.rglob("*") if file.is_file()]
        return [f for f in files if not any(p.startswith(".") for p in f.relative_to(self.folder).parts)]

    @property
    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | {
            "PYTHONPATH": str(self.folder),
            "DELTADISTILL_TRACKING": "off",
            "OMP_NUM_THREADS": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    @contextlib.contextmanager
    def _running(self, tool: str) -> Iterator[subprocess.Popen]:
        """A run, of which nothing is left afterwards."""
        with (self.folder / "run.log").open("w") as log:
            process = subprocess.Popen(
                ["bash", "-c", tool],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                kill_tree(process.pid)
                process.wait()

    def _runs(self, process: subprocess.Popen, stage: str) -> bool:
        return any(f"stages/{stage}.py" in command for command in _commands_below(process.pid))


def _commands_below(pid: int) -> Iterator[list[str]]:
    """The command lines of all processes below one; any of them may end meanwhile."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                yield child.cmdline()


def kill_tree(pid: int) -> None:
    """Kill a process and all below it, children first stopped so that none starts another meanwhile."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for send in ("suspend", "kill"):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(process, send)()
    psutil.wait_procs(processes)


def digest(file: Path) -> str:
    """Digest of a file's content; of a network file its tensors, of JSON all but times."""
    if file.suffix == ".pt":
        content = read_network_file(file)
        weights = content.pop("state_dict")
        parts = [json.dumps(content, sort_keys=True, default=str).encode()]
        parts += [name.encode() + tensor.numpy().tobytes() for name, tensor in sorted(weights.items())]
    elif file.suffix == ".json":
        parts = [json.dumps(without_times(json.loads(file.read_text())), sort_keys=True).encode()]
    elif file.suffix == ".npz":
        with np.load(file) as arrays:
            parts = [name.encode() + arrays[name].tobytes() for name in sorted(arrays.files)]
    else:
        parts = [file.read_bytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def without_times(content: Any) -> Any:
    """JSON without the entries that differ between two runs of the same thing."""
    if isinstance(content, dict):
        return {key: without_times(value) for key, value in content.items() if key not in TIMES}
    if isinstance(content, list):
        return [without_times(value) for value in content]
    return content


def read_whole(file: Path) -> None:
    """Read a file to its end; an error if it is not whole."""
    if file.suffix in (".pt", ".json", ".npz"):
        digest(file)
    elif file.suffix == ".csv":
        rows = list(csv.reader(file.read_text().splitlines()))
        assert len({len(row) for row in rows}) == 1, file
    elif file.suffix in (".png", ".webp"):
        from PIL import Image

        with Image.open(file) as image:
            image.load()
    assert file.stat().st_size or file.name == "random", file


def moments(stage: str, number: int, duration: float, seed: int) -> list[float]:
    """Random moments of a stage that takes `duration` seconds."""
    draws = random.Random(f"{stage}-{seed}")
    return [draws.uniform(0, duration) for _ in range(number)]
