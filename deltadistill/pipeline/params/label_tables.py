"""Tables of classes, by name or as a file of your own."""

from typing import Annotated

from pydantic import AfterValidator

LABEL_TABLES = ("cityscapes_19", "street_8")


def _is_a_label_table(name: str) -> str:
    if name not in LABEL_TABLES and not name.endswith(".csv"):
        raise ValueError(
            f"expected {' or '.join(LABEL_TABLES)}, or the path of a CSV file as in class_tables/"
        )
    return name


LabelTable = Annotated[str, AfterValidator(_is_a_label_table)]
