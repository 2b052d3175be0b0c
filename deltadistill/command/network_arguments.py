"""The arguments by which commands name a network."""

import argparse
from typing import Any

from deltadistill.command.values import setting, whole_number

FORMS = (
    "file.py:function, torchvision:NAME[@weights.pth], timm:NAME[@weights.pth], model.onnx, a network file "
    "of save_network, or a name of this project such as ddrnet23_slim"
)


def describe(parser: argparse.ArgumentParser) -> None:
    """Add NETWORK and what goes with it."""
    parser.add_argument("network", metavar="NETWORK", help=FORMS)
    parser.add_argument(
        "--classes", type=whole_number, help="number of classes, where the network asks for one"
    )
    parser.add_argument(
        "--option", action="append", default=[], type=setting, metavar="NAME=VALUE",
        help="an option of the network's builder, such as width=32; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--own", action="append", default=[], metavar="NAME",
        help="a network of yours, file.py:function, that a network file may lead to",
    )  # fmt: skip


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The builder's options by name."""
    return dict(arguments.option)
