"""deltadistill run: a runner on a video, drawn into another video and told as JSON lines."""

import argparse

from deltadistill.command import runner_arguments
from deltadistill.command.command import Command
from deltadistill.command.values import whole_number
from deltadistill.video.source import DROPS, PATIENT


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    runner_arguments.describe(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="video to write, what was found drawn on it: .mp4"
    )
    parser.add_argument(
        "--jsonl", metavar="FILE", help="JSON lines to write: a line a frame with what was found"
    )
    parser.add_argument(
        "--sound", action="store_true", help="copy the sound of the file into the written video"
    )
    parser.add_argument("--max-frames", type=whole_number, help="stop after so many frames")
    live = parser.add_argument_group("live sources: cameras, rtsp://, http:// without an end")
    live.add_argument("--waiting", type=whole_number, default=PATIENT.waiting, help="frames that wait (2)")
    live.add_argument(
        "--drop", choices=DROPS, default=PATIENT.drop, help="which is dropped when one more comes"
    )
    live.add_argument(
        "--give-up", type=float, default=PATIENT.give_up, metavar="SECONDS",
        help="how long a source that went away is tried again (60)",
    )  # fmt: skip


COMMAND = Command(
    summary="a runner on a file, a folder of frames, a camera or an address; drawn, and told as JSON lines",
    example="deltadistill run runner/ street.mp4 -o out.mp4 --jsonl out.jsonl",
    describe=describe,
    work="deltadistill.command.running:run",
)
