"""The two label tables: names, colours and Cityscapes label ids of the classes a network predicts."""

from dataclasses import dataclass

import numpy as np

IGNORE = 255


@dataclass(frozen=True)
class ClassEntry:
    """One class: its name, RGB colour and the label ids that count as it."""

    name: str
    color: tuple[int, int, int]
    label_ids: tuple[int, ...]


_CITYSCAPES = (
    ("road", (128, 64, 128), 7),
    ("sidewalk", (244, 35, 232), 8),
    ("building", (70, 70, 70), 11),
    ("wall", (102, 102, 156), 12),
    ("fence", (190, 153, 153), 13),
    ("pole", (153, 153, 153), 17),
    ("traffic light", (250, 170, 30), 19),
    ("traffic sign", (220, 220, 0), 20),
    ("vegetation", (107, 142, 35), 21),
    ("terrain", (152, 251, 152), 22),
    ("sky", (70, 130, 180), 23),
    ("person", (220, 20, 60), 24),
    ("rider", (255, 0, 0), 25),
    ("car", (0, 0, 142), 26),
    ("truck", (0, 0, 70), 27),
    ("bus", (0, 60, 100), 28),
    ("train", (0, 80, 100), 31),
    ("motorcycle", (0, 0, 230), 32),
    ("bicycle", (119, 11, 32), 33),
)

TABLES: dict[str, tuple[ClassEntry, ...]] = {
    "cityscapes_19": tuple(ClassEntry(name, color, (label,)) for name, color, label in _CITYSCAPES),
    "street_8": (
        ClassEntry("road", (128, 64, 128), (7,)),
        ClassEntry("sidewalk", (244, 35, 232), (8,)),
        ClassEntry("building", (70, 70, 70), (11, 12, 13)),
        ClassEntry("vegetation", (107, 142, 35), (21, 22)),
        ClassEntry("sky", (70, 130, 180), (23,)),
        ClassEntry("car", (0, 0, 142), (26, 27, 28)),
        ClassEntry("person", (220, 20, 60), (24, 25)),
        ClassEntry("pole/sign", (220, 220, 0), (17, 19, 20)),
    ),
}


def table(name: str) -> tuple[ClassEntry, ...]:
    """The classes of a table by its name; ValueError names the tables there are."""
    if name not in TABLES:
        raise ValueError(f"unknown label table {name!r}; there are {', '.join(sorted(TABLES))}")
    return TABLES[name]


def label_ids_to_classes(classes: tuple[ClassEntry, ...]) -> np.ndarray:
    """Lookup uint8 (256,): label id → class index, IGNORE where no class takes the id."""
    lookup = np.full(256, IGNORE, np.uint8)
    for index, entry in enumerate(classes):
        for label in entry.label_ids:
            if lookup[label] != IGNORE:
                taken = classes[lookup[label]].name
                raise ValueError(f"label id {label} belongs to both {taken!r} and {entry.name!r}")
            lookup[label] = index
    return lookup
