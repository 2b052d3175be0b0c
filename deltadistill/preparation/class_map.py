"""Classes of the network that labels → label ids of the data set; what it is unsure of is ignored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import IGNORE, ClassEntry, label_ids_to_classes


@dataclass(frozen=True)
class ClassMap:
    """Where each of the network's classes goes.

    column: per class of the network, the index of the data set's class, or C (how many there are) for none.
    label_ids: uint8 (C + 1,), the id to write for each; the last one belongs to no class.
    """

    column: tuple[int, ...]
    label_ids: np.ndarray

    def label(self, logits: Tensor, *, threshold: float) -> np.ndarray:
        """Label ids uint8 (N, H, W) of logits (N, K, H, W).

        A class is as likely as all the network's classes that go there together. Ignored are pixels whose
        likeliest class is none of the data set's, or less likely than `threshold`.
        """
        probabilities = logits.softmax(1)
        shape = (len(logits), len(self.label_ids), *logits.shape[2:])
        place = torch.tensor(self.column, device=logits.device)
        together = torch.zeros(shape, device=logits.device).index_add_(1, place, probabilities)
        likelihood, chosen = together.max(1)
        chosen[likelihood < threshold] = len(self.label_ids) - 1
        return self.label_ids[chosen.cpu().numpy()]


def map_classes(
    classes: Sequence[ClassEntry],
    network_classes: int,
    table: Mapping[str, Sequence[int]] | None,
    *,
    source: str,
) -> ClassMap:
    """Make the map of a network with `network_classes` classes to the data set's `classes`.

    table: by class name of the data set, the network's classes (from 0) that count as it; what is in none
        is ignored. None: the network has the same classes in the same order.
    Raises ValueError that names `source` and all that does not fit.
    """
    raise_faults(f"{source} (label_frames.classes)", _faults(classes, network_classes, table))
    if table is None:
        return ClassMap(tuple(range(network_classes)), _ids(classes))
    place = {given: index for index, entry in enumerate(classes) for given in table.get(entry.name, ())}
    column = tuple(place.get(given, len(classes)) for given in range(network_classes))
    return ClassMap(column, _ids(classes))


def _faults(
    classes: Sequence[ClassEntry], network_classes: int, table: Mapping[str, Sequence[int]] | None
) -> list[str]:
    names = [entry.name for entry in classes]
    faults = [f"{entry.name} has no label id to write" for entry in classes if not entry.label_ids]
    if table is None:
        if network_classes != len(names):
            faults.append(
                f"the network has {network_classes} classes, the data set {len(names)}; write which of them "
                "belong together"
            )
        return faults
    unknown = [name for name in table if name not in names]
    faults += [f"{name} is no class of the data set ({', '.join(names)})" for name in unknown]
    counted = Counter(given for of_class in table.values() for given in of_class)
    faults += [f"class {given} occurs {n} times" for given, n in counted.items() if n > 1]
    beyond = sorted(given for given in counted if given >= network_classes)
    return faults + [f"the network has no class {given}, only 0 to {network_classes - 1}" for given in beyond]


def _ids(classes: Sequence[ClassEntry]) -> np.ndarray:
    free = np.flatnonzero(label_ids_to_classes(tuple(classes)) == IGNORE)  # those that no class takes
    if not len(free):
        raise ValueError("the classes take all 256 label ids; one is needed for pixels to ignore")
    return np.array([*(entry.label_ids[0] for entry in classes), free[-1]], np.uint8)
