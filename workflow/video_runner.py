"""The fastest faithful runner for a video of one's own, and the video drawn by it: what `make video` does.

    python -m workflow.video_runner VIDEO [--network NETWORK] [options of deltadistill accelerate]

Without a network it is the default experiment's teacher, which knows streets (examples/street.yaml). Every
video has a runner of its own in runners/, named as its experiment would be (own_video.py).
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow.own_video import absolute, experiment_name

RUNNERS = Path("runners")
TEACHER = "artifacts/street/seed0/pretrain_teacher/teacher.pt"
OF_TEACHER = ("--adapter", "examples/street.yaml")
COMMAND = (sys.executable, "-m", "deltadistill")


def main() -> int:
    """Accelerate and run; return the exit code of what failed, or 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("video")
    parser.add_argument("--network", default="")
    given, options = parser.parse_known_args()
    video = absolute(given.video)
    folder = RUNNERS / experiment_name(video)
    done = subprocess.run(
        accelerating(video, folder, given.network, options), stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        return done.returncode
    outcome = json.loads(done.stdout)
    print(summary(outcome), flush=True)
    return subprocess.call(running(outcome, folder))


def accelerating(video: str, folder: Path, network: str, options: Sequence[str]) -> list[str]:
    """The line that makes the runner; its result comes as JSON, its progress on stderr."""
    named = [network, video] if network else [TEACHER, video, *OF_TEACHER]
    return [*COMMAND, "accelerate", *named, "-o", str(folder), *options, "--json"]


def running(outcome: Mapping[str, Any], folder: Path) -> list[str]:
    """The line that the acceleration ended with, with a video beside the runner's folder as its output."""
    words = shlex.split(outcome["command"])[1:]
    words[words.index("-o") + 1] = f"{folder}.mp4"
    return [*COMMAND, *words]


def summary(outcome: Mapping[str, Any]) -> str:
    """What came out, in two lines."""
    choice, tested = outcome["choice"], outcome["tested"]
    found = (
        f"×{outcome['speedup']:.2f} as fast as the best per-frame run"
        if outcome["is_faster"]
        else "nothing is faster at this fidelity: every frame is computed in full, in the fastest engine"
    )
    kept = f"{outcome['measure']} against the per-frame network {tested['fidelity']:.4f}"
    return f"{found} ({choice['name']}); {kept}\npage: {outcome['report']}"


if __name__ == "__main__":
    sys.exit(main())
