"""A network that labels: frames in, class logits of the frames' own size out, whatever file it is from.

Three kinds of files: those of save_network, state dicts of torchvision's segmentation networks, and ONNX.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.preparation.onnx_file import open_onnx
from deltadistill.preparation.torchvision_file import load_torchvision
from deltadistill.stored.architecture import load_network


@dataclass(frozen=True)
class Labeller:
    """Gives class logits of frames.

    forward: normalised frames float32 (N, 3, h, w) → logits (N, K, …), on the network's device.
    size: (h, w) that frames are scaled to before; None: they stay as they are.
    source: the file, for errors.
    """

    forward: Callable[[Tensor], Any]
    size: tuple[int, int] | None
    source: str

    @torch.no_grad()
    def logits(self, frames: Tensor) -> Tensor:
        """Logits float32 (N, K, H, W) of normalised frames (N, 3, H, W); ValueError for any other output."""
        seen = frames
        if self.size:
            seen = F.interpolate(frames, self.size, mode="bilinear", align_corners=False, antialias=True)
        output = self._main(self.forward(seen))
        if output.shape[-2:] == frames.shape[-2:]:
            return output.float()
        return F.interpolate(output.float(), frames.shape[-2:], mode="bilinear", align_corners=False)

    def _main(self, output: Any) -> Tensor:
        main = output.get("out") if isinstance(output, Mapping) else output
        if not isinstance(main, Tensor) or main.ndim != 4 or not main.is_floating_point():
            what = f"{main.dtype} {tuple(main.shape)}" if isinstance(main, Tensor) else type(main).__name__
            raise ValueError(
                f"{self.source}: a network that labels gives class logits (N, K, H, W), this one {what}"
            )
        return main


def open_labeller(
    path: Path,
    kind: str,
    *,
    architecture: str,
    gives: str,
    size: tuple[int, int] | None,
    device: torch.device,
) -> Labeller:
    """Open a network file; no code from it is executed.

    kind: "checkpoint" (of save_network), "torchvision" (a state dict) or "onnx".
    architecture: of a torchvision file, a name of torchvision.models.segmentation.
    gives: what an ONNX file's output is, "logits" or "probabilities".
    Raises ValueError that names the file and what is wrong with it.
    """
    if kind == "onnx":
        return Labeller(open_onnx(path, gives=gives), size, str(path))
    network = load_network(path) if kind == "checkpoint" else load_torchvision(path, architecture)
    return Labeller(_on(network.eval(), device), size, str(path))


def _on(network: nn.Module, device: torch.device) -> Callable[[Tensor], Any]:
    network.to(device)
    return lambda frames: network(frames.to(device))
