"""deltadistill inspect: what a network costs per layer, what converts, and the most that can be gained."""

import argparse

from deltadistill.command import network_arguments
from deltadistill.command.command import Command
from deltadistill.command.values import mebibytes, size, whole_number, whole_numbers

LENGTHS = (2, 3, 5, 10, 20)


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    network_arguments.describe(parser)
    parser.add_argument("--size", type=size, help="of frames, HEIGHTxWIDTH; the weights' own, or 512x1024")
    parser.add_argument("--gamma", type=whole_number, default=4, help="how much narrower students are (4)")
    parser.add_argument("--rank", choices=("out", "min"), default="min", help="narrower than what (min)")
    parser.add_argument(
        "--lengths", type=whole_numbers, default=LENGTHS, metavar="T,T",
        help="frames from one key frame to the next (2,3,5,10,20)",
    )  # fmt: skip
    parser.add_argument(
        "--peaks", action="store_true",
        help="also how far memory's peak can be lowered, patch by patch and by pooling earlier (seconds)",
    )  # fmt: skip
    parser.add_argument(
        "--memory-mib", type=mebibytes, metavar="MIB",
        help="the same, within what a frame may take beside its weights",
    )  # fmt: skip
    parser.add_argument("--device", default="cpu", help="where the time is measured (cpu)")
    parser.add_argument("--all", action="store_true", help="show every layer, not the dearest alone")


COMMAND = Command(
    summary="multiply-accumulates, time and memory, what converts and why not, the bound of the gain",
    example="deltadistill inspect torchvision:lraspp_mobilenet_v3_large --size 512x1024",
    describe=describe,
    work="deltadistill.command.inspection:inspect",
)
