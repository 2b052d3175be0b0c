"""deltadistill bench: how long a runner takes on a video, end to end and per part, against per frame."""

import argparse

from deltadistill.command import runner_arguments
from deltadistill.command.command import Command
from deltadistill.command.values import whole_number


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    runner_arguments.describe(parser)
    parser.add_argument("--frames", type=whole_number, default=100, help="of the video's beginning (100)")
    parser.add_argument(
        "--rounds", type=whole_number, default=3, help="of both ways, one after the other (3)"
    )


COMMAND = Command(
    summary="the time of a runner on a video, end to end and per part, against per frame, in turns",
    example="deltadistill bench runner/ street.mp4 --frames 200",
    describe=describe,
    work="deltadistill.command.benchmark:bench",
)
