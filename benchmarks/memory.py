"""Peak memory of a frame: theory under both conventions, beside what engines hold.

    python benchmarks/memory.py                                   # twelve networks of torchvision at 224×224
    python benchmarks/memory.py --networks resnet18 --size 512x1024

For each network: seconds that the account takes; the theoretical peak as published, with lifetimes, and with
lifetimes beside the frame, which lies in the caller's memory; what ONNX Runtime's arena holds, and its ratio
to the latter; what PyTorch's allocator holds in eager mode. MiB, batch 1, fp32, weights apart and random.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torchvision
from torch import nn

from deltadistill.account.arena import arena_bytes
from deltadistill.account.machine import describe_machine
from deltadistill.account.measured_memory import pytorch_bytes
from deltadistill.account.memory import count_memory
from deltadistill.account.memory_table import MIB
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.onnx_graphs import write_graphs

NETWORKS = (
    *("alexnet", "vgg16", "resnet18", "resnet50", "resnext50_32x4d", "densenet121", "googlenet"),
    *("mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x1_0", "squeezenet1_1", "efficientnet_b0"),
)
COLUMNS = ("published", "lifetimes", "beside_frame", "onnxruntime", "ratio", "pytorch")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="of torchvision.models")
    parser.add_argument("--size", default="224x224", help="height and width, pixels")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures too")
    args = parser.parse_args()
    size = tuple(map(int, args.size.split("x")))
    print(f"{'':20}{'seconds':>9}" + "".join(f"{column:>13}" for column in COLUMNS), "  at")
    found = {name: measured(name, size) for name in args.networks}
    print(f"the account of all took {sum(each['seconds'] for each in found.values()):.1f} s")
    if args.out:
        args.out.write_text(json.dumps({"machine": describe_machine(), "networks": found}, indent=2))


def measured(name: str, size: tuple[int, int]) -> dict[str, float | str]:
    """The figures of one network; printed as they come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision, on how weights are drawn
        network = torchvision.models.get_model(name, weights=None, **_options(name)).eval()
    begun = time.perf_counter()
    table = count_memory(network, (3, *size))
    seconds = time.perf_counter() - begun
    frame = torch.zeros(1, 3, *size)
    arena = arena_of(network, frame)
    figures = {
        "seconds": seconds,
        "published": table.published_peak / MIB,
        "lifetimes": table.peak / MIB,
        "beside_frame": table.peak_beside_inputs / MIB,
        "onnxruntime": arena / MIB,
        "ratio": arena / table.peak_beside_inputs,
        "pytorch": pytorch_bytes(lambda: network(frame)) / MIB,
    }
    print(
        f"{name:20}{seconds:9.2f}" + "".join(f"{figures[column]:13.2f}" for column in COLUMNS),
        f"  {table.peak_row.name}",
        flush=True,
    )
    return figures | {"at": table.peak_row.name}


def _options(name: str) -> dict[str, bool]:
    return {"init_weights": False} if name in ("googlenet", "inception_v3") else {}


def arena_of(network: nn.Module, frame: torch.Tensor) -> int:
    """Bytes that ONNX Runtime's arena holds for a frame."""
    with TemporaryDirectory() as folder:
        return arena_bytes(write_graphs(delta_functions(network, frame), Path(folder))["frame"])


if __name__ == "__main__":
    main()
