"""Features imitated near objects alone, in place of every block's: the loss of FGFI (Wang et al., CVPR 2019).

The features are the maps that a detector's heads read; the network names the module that makes them,
`head_features`. A convolution that only the training knows adapts the students' maps to the teacher's.
"""

from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from deltadistill.data.boxes import PADDING
from deltadistill.forward.clip_axes import later_frames
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.places_near_objects import places_near_objects
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class NearObjects(Objective):
    """Distance of adapted maps from the teacher's at places near objects; its extent is their number.

    threshold: near are places where an anchor's IoU with an object exceeds this share of the best anchor's.
    Raises ValueError for a task that knows no objects, and for a network that does not say which maps its
    heads read, or whose maps differ in their channels.
    """

    def __init__(self, setting: Setting, *, threshold: float = 0.5):
        super().__init__()
        self.threshold, self._task = threshold, _knowing_objects(setting)
        self._module = _head_features(setting.network)
        nothing = torch.full((1, 1, 5), PADDING, dtype=torch.float32)
        self._places(nothing, setting.size, setting.network)  # raises where anchors are for another size
        self.adaptation = _identity(setting.maps(self._module))

    @property
    def taps(self) -> Taps:
        """The maps that the heads read."""
        return Taps(modules=(self._module,))

    def extent(self, seen: Observation) -> Tensor:
        """The number of places near objects."""
        return count(self._masks(seen))

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """Half the squared distance per place."""
        adapted = [self.adaptation(features) for features in seen.maps(self._module)]
        return near_objects_loss(adapted, seen.teacher_maps(self._module), self._masks(seen), of)

    def _masks(self, seen: Observation) -> list[Tensor]:
        if self not in seen.memo:
            references, (height, width) = later_frames(seen.batch["label"]), seen.clip.shape[-2:]
            seen.memo[self] = self._places(references, (height, width), seen.network)
        return seen.memo[self]

    def _places(self, references: Tensor, size: tuple[int, int], network: nn.Module) -> list[Tensor]:
        grids = self._task.anchor_grids(size, references.device, network=network)
        return places_near_objects(grids, references, threshold=self.threshold)


def near_objects_loss(
    maps: Sequence[Tensor], taught: Sequence[Tensor], masks: Sequence[Tensor], of: Tensor
) -> Tensor:
    """Half the squared distance of adapted maps (N, C, h, w) from the teacher's, at the places of masks.

    Masks are bool (N, h, w). Summed over channels, and divided by the number of places `of`, or by 1 where
    there are none.
    """
    squares = [
        (mask[:, None] * (own - teacher).square()).sum()
        for own, teacher, mask in zip(maps, taught, masks, strict=True)
    ]
    return torch.stack(squares).sum() / (2 * of.clamp(min=1).to(squares[0]))


def count(masks: Sequence[Tensor]) -> Tensor:
    """The number of places in masks, float64."""
    return torch.stack([mask.sum() for mask in masks]).sum().double()


class _KnowsObjects(Protocol):
    def anchor_grids(
        self, size: tuple[int, int], device: torch.device, *, network: nn.Module
    ) -> Sequence[Tensor]: ...


def _knowing_objects(setting: Setting) -> _KnowsObjects:
    task = setting.require_task("near_objects")
    if not hasattr(task, "anchor_grids"):
        raise ValueError(
            "method fgfi imitates features near objects, and this data set has label maps and no boxes; take "
            "method feature, or a data set with boxes"
        )
    return cast(_KnowsObjects, task)


def _head_features(network: nn.Module) -> str:
    name = getattr(network, "head_features", None)
    if name is None:
        raise ValueError(
            f"method fgfi imitates the maps that a detector's heads read, and {type(network).__name__} does "
            "not name the module that makes them (an attribute head_features); add it, or take method feature"
        )
    return name


def _identity(maps: Sequence[Tensor]) -> nn.Conv2d:
    """A 3×3 convolution for all maps, which starts as the identity: the students' maps have the teacher's
    channels and start near its features.
    """
    channels = {features.shape[1] for features in maps}
    if len(channels) != 1:
        raise ValueError(f"method fgfi needs maps of equally many channels, got {sorted(channels)}")
    (width,) = channels
    adaptation = nn.Conv2d(width, width, 3, padding=1).to(maps[0])
    nn.init.dirac_(adaptation.weight)
    nn.init.zeros_(cast(Tensor, adaptation.bias))
    return adaptation
