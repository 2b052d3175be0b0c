"""Class tables of data sets: a CSV file that says which ids there are and what they are called.

    id,name,color
    n02691156,airplane,#e6194b

`id` is what annotations call the class (a WordNet synset in ImageNet; for label maps, label_table_file.py).
`color` is for pictures; where it is empty, one is chosen. The order of the rows is that of the networks'
classes.
"""

import colorsys
import re
from collections import Counter
from pathlib import Path

from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import ClassEntry
from deltadistill.files.table import read_rows

COLUMNS = ("id", "name", "color")
_COLOR = re.compile("#[0-9a-fA-F]{6}")
_GOLDEN = 0.618034  # of a turn between successive hues: far from all before, however many there are


def read_class_table(path: Path) -> dict[str, ClassEntry]:
    """Id → class, in order of the table; ValueError names everything wrong with the file."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no class table at {path}; write one with the columns {','.join(COLUMNS)}")
    rows = read_rows(path, COLUMNS, remedy="mend it by hand")
    raise_faults(path, _faults(rows))
    return {
        identity: ClassEntry(name, _from_hex(color) if color else chosen_color(index), ())
        for index, (identity, name, color) in enumerate(rows)
    }


def chosen_color(index: int) -> tuple[int, int, int]:
    """A colour for class number `index`, bright and unlike its neighbours', RGB 0 to 255."""
    hue, value = (0.02 + index * _GOLDEN) % 1, (1.0, 0.82, 0.66)[index % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def _from_hex(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _faults(rows: list[list[str]]) -> list[str]:
    faults = [] if rows else ["there are no classes"]
    for line, row in enumerate(rows, start=2):
        if len(row) != len(COLUMNS):
            faults.append(f"line {line} has {len(row)} columns; expected {len(COLUMNS)}")
        elif not row[0] or not row[1]:
            faults.append(f"line {line}: id and name must not be empty")
        elif row[2] and not _COLOR.fullmatch(row[2]):
            faults.append(f"line {line}: colour {row[2]!r} is not of the form #rrggbb")
    whole = [row for row in rows if len(row) == len(COLUMNS)]
    for column, what in enumerate(("id", "name")):
        counted = Counter(row[column] for row in whole)
        faults += [f"{what} {value!r} occurs {n} times" for value, n in counted.items() if n > 1]
    return faults
