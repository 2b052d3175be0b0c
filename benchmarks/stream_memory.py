"""The theoretical memory of streams of one network by student design: maps kept, key frame, later frame.

    python benchmarks/stream_memory.py [--size 1024 2048] [--width 32] [--stem-strides 2 2]

Nothing is allocated. MiB with lifetimes, weights apart; MACs of a key frame and a later one as shares of the
per-frame network's. The last line is the per-frame network with its early layers run patch by patch. The
network leaves its logits at the resolution that they are made in: brought to the frame's size as a whole they
would take more than all else.
"""

import argparse

import torch

import deltadistill as dd
from deltadistill.account.memory_table import MIB
from deltadistill.account.patches import best_plan, patch_plans
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.stream_memory import stream_memory

DESIGNS = {
    "linear, every inner convolution": (dd.LinearStudent(initialisation="random"), dd.inner_convolutions),
    "channel, residual blocks": (dd.ChannelStudent(), dd.residual_blocks),
    "lower resolution, residual blocks": (dd.ReducedResolution(), dd.residual_blocks),
    "lower resolution, the whole network": (dd.ReducedResolution(), dd.whole_network),
    "a quarter of it, the whole network": (dd.ReducedResolution(factor=4), dd.whole_network),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs=2, default=[1024, 2048], metavar=("H", "W"))
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--stem-strides", type=int, nargs=2, default=[2, 2])
    args = parser.parse_args()
    options = {"width": args.width, "stem_strides": args.stem_strides}
    with torch.device("meta"):
        network = dd.models.build("ddrnet23_slim", classes=19, full_size=False, **options).eval()
    frame = torch.empty(1, 3, *args.size, device="meta")
    print(f"DDRNet-23-slim, {options}, {args.size[0]}×{args.size[1]}")
    print(
        "| students | maps | key frame | later frame | MACs, key | MACs, later |\n|---|---|---|---|---|---|"
    )
    plain = dd.count_memory(network, tuple(frame.shape[1:])).peak / MIB
    print(f"| none: the network on every frame | 0 | {plain:.2f} | {plain:.2f} | 1 | 1 |")
    for name, (students, where) in DESIGNS.items():
        print(_row(name, dd.convert(network, students, where, progress=False), frame), flush=True)
    plan = best_plan(patch_plans(network, tuple(frame.shape[1:])))
    peak = plan.peak / MIB
    share = plan.macs / dd.count_macs(network, tuple(frame.shape[1:])).teacher
    print(f"| none, early layers patch by patch | 0 | {peak:.2f} | {peak:.2f} | {share:.2f} | {share:.2f} |")


def _row(name: str, network: torch.nn.Module, frame: torch.Tensor) -> str:
    for block in delta_blocks(network).values():
        block.decide("compressed")
    found, macs = stream_memory(network, frame), dd.count_macs(network, tuple(frame.shape[1:]))
    peaks = [found.maps, found.key.peak, found.delta.peak]
    cells = [
        *(f"{value / MIB:.2f}" for value in peaks),
        *(f"{m / macs.teacher:.2f}" for m in (macs.key, macs.delta)),
    ]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
