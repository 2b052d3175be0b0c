"""Detection as a set: every object has one query, by the cheapest assignment (Carion et al., ECCV 2020).

    cost of query q for object o = −p_q(class of o) + 5 ‖b_q − b_o‖₁ − 2 GIoU(b_q, b_o)
    L = [Σ_q w_q · −log p_q(its class) + Σ_o 5 ‖b_q(o) − b_o‖₁ + 2 (1 − GIoU(b_q(o), b_o))] / objects

p are probabilities of classes and of nothing, b boxes as centre and sides in shares of the frame; w is 0.1
for queries without an object, and 1. Departure: the sum over queries is divided by the number of objects too,
where DETR divides it by the sum of w, so that parts of a batch add up by one number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.data.boxes import UNKNOWN, Detections
from deltadistill.models.detr import Answer, Detr
from deltadistill.tasks.assignment import cheapest
from deltadistill.tasks.suppression import Suppression

OF_SIDES, OF_OVERLAP, OF_NOTHING = 5.0, 2.0, 0.1


@dataclass(frozen=True)
class SetTargets:
    """Boxes (n, 5) of each of N frames, in pixels, and whether the frame is annotated, bool (N,)."""

    objects: Sequence[Tensor]
    annotated: Tensor

    @property
    def extent(self) -> Tensor:
        """The number of objects, float64."""
        count = sum(len(boxes) for boxes in self.objects)
        return torch.tensor(float(count), dtype=torch.float64, device=self.annotated.device)


class SetPrediction:
    """Reads the answers of models.detr."""

    def image_size(self, network: Detr) -> None:
        """Frames may have any size."""

    def anchor_grids(self, network: Detr, size: tuple[int, int], device: torch.device) -> list[Tensor]:
        """Raise ValueError: there are no anchors."""
        raise ValueError(
            f"{type(network).__name__} has queries and no anchors, which method fgfi and near_objects need; "
            "take the objective consistent_queries"
        )

    def targets(self, references: Tensor, network: Detr) -> SetTargets:
        """The objects of boxes (N, M, 5), see data.box_lists."""
        objects = [boxes[boxes[:, 4] >= 0] for boxes in references]
        return SetTargets(objects, (references[:, :, 4] != UNKNOWN).all(1))

    def loss(self, output: Answer, targets: SetTargets, network: Detr, of: Tensor) -> Tensor:
        """The loss of annotated frames, over `of` objects."""
        losses = []
        for n in targets.annotated.nonzero()[:, 0].tolist():
            shares = in_shares(targets.objects[n][:, :4].to(output["boxes"]), output["sizes"][n])
            classes = targets.objects[n][:, 4].long()
            losses.append(frame_loss(output["logits"][n], output["boxes"][n], classes, shares))
        nothing = 0 * output["logits"].sum()
        return (nothing + sum(losses)) / of.clamp(min=1).to(nothing)

    def imitation_loss(self, output: Answer, teacher_output: Answer, network: Detr, teacher: Detr) -> Tensor:
        """KL divergence of the classes, and distance of boxes weighted by the teacher's being of an object.

        Queries are paired with the teacher's by the cheapest assignment; means over pairs and frames.
        """
        losses = []
        for logits, boxes, told, places in zip(
            output["logits"], output["boxes"], teacher_output["logits"], teacher_output["boxes"], strict=True
        ):
            own, theirs = paired(logits, boxes, told, places)
            losses.append(imitated(logits[own], boxes[own], told[theirs], places[theirs]))
        return torch.stack(losses).mean()

    def predict(self, output: Answer, network: Detr, suppression: Suppression) -> list[Detections]:
        """Every query's likeliest class and its box."""
        found = []
        for logits, shares, size in zip(*(output[key] for key in ("logits", "boxes", "sizes")), strict=True):
            scores, classes = logits.softmax(-1)[:, :-1].max(-1)
            scores, places = suppression.candidates_of(scores)
            height, width = (int(side) for side in size.tolist())
            boxes = corners(shares[places]) * shares.new_tensor([width, height] * 2)
            found.append(suppression.detections(boxes, scores, classes[places], (height, width)))
        return found


def frame_loss(logits: Tensor, boxes: Tensor, classes: Tensor, shares: Tensor) -> Tensor:
    """The loss of one frame, undivided. logits: (Q, K + 1), boxes: (Q, 4); of n objects: (n,) and (n, 4).

    Raises ValueError for more objects than queries.
    """
    wanted = torch.full((len(logits),), logits.shape[1] - 1, device=logits.device)
    weights = torch.full((len(logits),), OF_NOTHING, device=logits.device, dtype=logits.dtype)
    if len(classes) > len(logits):
        raise ValueError(
            f"a frame has {len(classes)} objects and the network {len(logits)} queries; give the model more, "
            "options: {queries: …}"
        )
    queries = _assigned(_costs(logits, boxes, classes, shares)) if len(classes) else classes
    wanted[queries], weights[queries] = classes, 1.0
    of_classes = (weights * F.cross_entropy(logits, wanted, reduction="none")).sum()
    return of_classes + box_losses(boxes[queries], shares).sum()


def box_losses(boxes: Tensor, shares: Tensor) -> Tensor:
    """5 ‖b − b′‖₁ + 2 (1 − GIoU) of pairs of boxes (n, 4); (n,)."""
    from torchvision.ops import generalized_box_iou

    overlap = generalized_box_iou(corners(boxes), corners(shares)).diagonal()
    return OF_SIDES * (boxes - shares).abs().sum(1) + OF_OVERLAP * (1 - overlap)


@torch.no_grad()
def _costs(logits: Tensor, boxes: Tensor, classes: Tensor, shares: Tensor) -> Tensor:
    """What each object would cost with each query; (n, Q)."""
    from torchvision.ops import generalized_box_iou

    sides = torch.cdist(shares, boxes, p=1)
    overlap = generalized_box_iou(corners(shares), corners(boxes))
    return OF_SIDES * sides - OF_OVERLAP * overlap - logits.softmax(-1)[:, classes].T


def _assigned(costs: Tensor) -> Tensor:
    return torch.as_tensor(cheapest(costs.double().cpu().numpy()), device=costs.device)


@torch.no_grad()
def paired(logits: Tensor, boxes: Tensor, told: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of queries of one network and of another's, paired by what they say; as many as the fewer."""
    costs = OF_SIDES * torch.cdist(boxes, places, p=1)
    costs = costs + torch.cdist(logits.softmax(-1), told.softmax(-1), p=1)
    if len(boxes) <= len(places):
        return torch.arange(len(boxes), device=boxes.device), _assigned(costs)
    return _assigned(costs.T), torch.arange(len(places), device=boxes.device)


def imitated(logits: Tensor, boxes: Tensor, told: Tensor, places: Tensor) -> Tensor:
    """Mean over pairs of KL(told ‖ own) and 5 P(an object) ‖b − b′‖₁, of (n, K + 1) and (n, 4) each."""
    theirs = told.log_softmax(-1)
    divergence = (theirs.exp() * (theirs - logits.log_softmax(-1))).sum(-1)
    an_object = 1 - theirs[:, -1].exp()
    return (divergence + OF_SIDES * an_object * (boxes - places).abs().sum(-1)).mean()


def in_shares(boxes: Tensor, size: Tensor) -> Tensor:
    """Corners (n, 4) in pixels of a frame of `size` (height, width) as centre and sides in shares of it."""
    low, high = (boxes / size.flip(0).repeat(2)).chunk(2, -1)
    return torch.cat([(low + high) / 2, high - low], -1)


def corners(shares: Tensor) -> Tensor:
    """Centre and sides (n, 4) as corners."""
    centre, sides = shares.chunk(2, -1)
    return torch.cat([centre - sides / 2, centre + sides / 2], -1)
