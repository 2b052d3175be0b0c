"""deltadistill export: a runner's graphs as files that other programs run."""

import argparse

from deltadistill.command.command import Command

FORMATS = ("onnx", "openvino", "pt2")


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("runner", metavar="RUNNER", help="the folder of a runner, as dd.export writes it")
    parser.add_argument(
        "--format", required=True, choices=FORMATS,
        help="onnx; openvino: its own .xml and .bin; pt2: packages of PyTorch, where the runner keeps some",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", help="to write; by default RUNNER-FORMAT beside the runner"
    )
    parser.add_argument(
        "--precision",
        default="fp32",
        choices=("fp32", "int8"),
        help="of the graphs; int8 where there are (fp32)",
    )


COMMAND = Command(
    summary="a runner's graphs for other programs: onnx, openvino or pt2, and how they are called",
    example="deltadistill export runner/ --format openvino -o street_openvino/",
    describe=describe,
    work="deltadistill.command.exported:run",
)
