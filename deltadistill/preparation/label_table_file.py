"""Label tables from files: which label ids count as which class, in a CSV file of class_table's form.

    id,name,color
    7,road,#804080
    17 19 20,pole/sign,#dcdc00

`id` is one label id, or several with spaces between. The order of the rows is that of the networks' classes.
"""

import re
from dataclasses import replace
from pathlib import Path

from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import IGNORE, ClassEntry, label_ids_to_classes, table
from deltadistill.preparation.class_table import read_class_table

_IDS = re.compile(r"\d{1,3}( \d{1,3})*", re.ASCII)


def open_label_table(name: str) -> tuple[ClassEntry, ...]:
    """The classes of the table that `name` says: one of label_table.TABLES, or the path of a CSV file.

    Raises ValueError that names everything wrong with the file.
    """
    return read_label_table(Path(name)) if name.endswith(".csv") else table(name)


def read_label_table(path: Path) -> tuple[ClassEntry, ...]:
    """The classes of a CSV file, in order; ValueError names everything wrong with it."""
    rows = read_class_table(path)
    faults = [
        f"id {ids!r} of {entry.name} is no label id, nor several (0 … 255, spaces between)"
        for ids, entry in rows.items()
        if not _IDS.fullmatch(ids) or max(map(int, ids.split())) > 255
    ]
    if len(rows) > IGNORE:
        faults.append(f"{len(rows)} classes; at most {IGNORE} are told apart")
    raise_faults(path, faults)
    classes = tuple(replace(entry, label_ids=tuple(map(int, ids.split()))) for ids, entry in rows.items())
    try:
        label_ids_to_classes(classes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return classes
