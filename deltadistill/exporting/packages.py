"""The functions compiled ahead of time for the machine at hand (AOTInductor)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from deltadistill.exporting.functions import DeltaFunctions
from deltadistill.runtime.runner_file import FUNCTIONS


@torch.no_grad()
def write_packages(
    functions: DeltaFunctions, folder: Path, names: Sequence[str] = FUNCTIONS
) -> dict[str, Path]:
    """Write frame.pt2, key.pt2 and delta.pt2, for frames of the example's shape; needs a C++ compiler.

    names: of the functions, where not all are wanted.
    """
    inputs = {
        "frame": (functions.example,),
        "key": (functions.example,),
        "delta": (functions.example, *functions.maps.values()),
    }
    written = {}
    for name in names:
        exported = torch.export.export(getattr(functions, name), inputs[name], strict=False)
        written[name] = folder / f"{name}.pt2"
        torch._inductor.aoti_compile_and_package(exported, package_path=str(written[name]))
    return written
