"""The whole pipeline at toy size in copies of the working tree: through DVC, and through Snakemake beside it.

After either, both tools must find nothing left to do. The project's own data, artifacts and results are never
touched.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deltadistill.files import commented_yaml

ROOT = Path(__file__).resolve().parents[1]
OVERLAY = "experiments/smoke.yaml"
RUNS = {"dvc": ("dvc", "repro"), "snakemake": ("snakemake", "--quiet", "rules")}
COMPILED = ("deltadistill", "networks", "stages", "workflow")
TRACKING = {"dvc": "off", "snakemake": "on"}  # once is enough; MLflow's imports cost a minute
CHECKS = {
    ("dvc", "status"): "Data and pipelines are up to date.",
    ("snakemake", "--dry-run"): "Nothing to be done",
}


def main() -> int:
    """Run both, print what took how long, and keep the copies only where a folder was named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, help="a folder for the copies, which stay; else a temporary one"
    )
    folder = parser.parse_args().folder
    if folder:
        return run_both(folder)
    with tempfile.TemporaryDirectory(prefix="deltadistill-smoke-") as temporary:
        return run_both(Path(temporary))


def run_both(folder: Path) -> int:
    """Run both tools at the same time, each in its own copy below `folder`; return the exit code."""
    print(f"smoke: the pipeline at toy size through {' and '.join(RUNS)}, some minutes", flush=True)
    with ThreadPoolExecutor(len(RUNS)) as pool:
        faults = [fault for fault in pool.map(lambda tool: run(tool, folder / tool), RUNS) if fault]
    print("\n".join(faults) or "smoke: all is well", flush=True)
    return int(bool(faults))


def run(tool: str, folder: Path) -> str | None:
    """Run the pipeline with one tool and ask both what is left to do; return what went wrong."""
    try:
        copy_working_tree(folder)
        seconds, _ = call(folder, RUNS[tool], tracking=TRACKING[tool])
        print(f"smoke: {tool} ran the pipeline in {seconds:.0f} s", flush=True)
        for command, expected in CHECKS.items():
            seconds, said = call(folder, command)
            if expected not in said:
                return f"smoke: after {tool}, {' '.join(command)} should find nothing to do, but says\n{said}"
            print(f"smoke: after {tool}, {' '.join(command)}: nothing to do, {seconds:.1f} s", flush=True)
    except subprocess.CalledProcessError as error:
        return f"smoke: {' '.join(error.cmd)} failed in {folder}\n{error.stdout}"
    return None


def copy_working_tree(folder: Path, overlay: str = OVERLAY) -> None:
    """Copy what git knows or would add, uncommitted changes included, to a toy-sized repository."""
    _, listed = call(ROOT, ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
    names = [name for name in listed.split("\0") if name and not name.startswith("results/")]
    for name in [*names, ".overlay.yaml"]:  # an overlay that is on is taken off by putting on another
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    copy_compiled(folder)
    call(folder, (sys.executable, "-m", "deltadistill.pipeline.experiments", "put", overlay))
    for command in ("init --quiet", "add --all", "commit --quiet --message copy"):
        call(folder, ("git", *command.split()))


def copy_compiled(folder: Path) -> None:
    """Copy what Python has compiled of the sources there: each copy would compile the library anew."""
    for top in COMPILED:
        for cache in (ROOT / top).rglob("__pycache__"):
            unfinished = shutil.ignore_patterns("*.pyc.*")  # another process is writing them
            shutil.copytree(cache, folder / cache.relative_to(ROOT), ignore=unfinished, dirs_exist_ok=True)


def keep_variants(folder: Path, names: Collection[str]) -> None:
    """Take all other variants and trainings out of a copy's parameters, and commit that."""
    params = commented_yaml.load(folder / "params.yaml")
    for entries in (params["variants"], params["distill"]["trainings"]):
        for name in set(entries) - set(names):
            del entries[name]
    (folder / "params.yaml").write_text(commented_yaml.dump(params))
    call(folder, ("git", "commit", "--quiet", "--all", "--message", "fewer variants"))


def run_through(folder: Path, name: str) -> Path:
    """Run an experiment of experiments/ by DVC in a copy of the working tree, made in a folder; the copy."""
    copy = folder / "copy"
    copy_working_tree(copy, f"experiments/{name}.yaml")
    call(copy, ("dvc", "repro"))
    return copy


def call(folder: Path, command: Sequence[str], *, tracking: str = "off") -> tuple[float, str]:
    """Run a command in `folder`; return the seconds it took and what it printed."""
    environment = dict(os.environ)
    environment |= {
        f"GIT_{who}_{what}": "smoke" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment |= {
        "PYTHONPATH": str(folder),
        "DELTADISTILL_TRACKING": tracking,
    }
    environment["OMP_NUM_THREADS"] = "1"  # networks of toy size only lose time to threads
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    return time.monotonic() - started, done.stdout


if __name__ == "__main__":
    sys.exit(main())
