"""Label tables from CSV files."""

from pathlib import Path

import pytest

from deltadistill.data.label_table import TABLES, ClassEntry, table
from deltadistill.pipeline.params.label_tables import LABEL_TABLES
from deltadistill.preparation.label_table_file import open_label_table, read_label_table

ROOT = Path(__file__).resolve().parents[2]


def written(folder, *rows):
    (folder / "own.csv").write_text("\n".join(["id,name,color", *rows]) + "\n")
    return folder / "own.csv"


def test_a_file_says_ids_names_and_colours_in_order(tmp_path):
    path = written(tmp_path, "40 41,cow,#ff0080", "1,lane,#010203")
    expected = (ClassEntry("cow", (255, 0, 128), (40, 41)), ClassEntry("lane", (1, 2, 3), (1,)))
    assert open_label_table(str(path)) == expected


def test_the_committed_file_is_the_table_of_the_generated_clips():
    assert read_label_table(ROOT / "class_tables" / "street_8.csv") == table("street_8")


def test_tables_have_names_too():
    assert open_label_table("cityscapes_19") == table("cityscapes_19")
    assert set(LABEL_TABLES) == set(TABLES)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["n02958343,car,"], "id 'n02958343' of car is no label id, nor several"),
        (["7 256,car,"], "id '7 256' of car is no label id"),
        (["7  8,car,"], "id '7  8' of car is no label id"),
        (["7 8,car,", "8,bus,"], "own.csv: label id 8 belongs to both 'car' and 'bus'"),
        (["7,car,", "7,bus,"], "id '7' occurs 2 times"),
        (["7,,"], "line 2: id and name must not be empty"),
        ([], "there are no classes"),
        ([f"{n},class{n}," for n in range(256)], "256 classes; at most 255 are told apart"),
    ],
)
def test_faulty_files_are_refused(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        read_label_table(written(tmp_path, *rows))


def test_a_missing_file_is_named():
    with pytest.raises(ValueError, match=r"no class table at nowhere/own.csv"):
        open_label_table("nowhere/own.csv")
