from pathlib import Path

import pytest

from deltadistill.preparation.class_table import chosen_color, read_class_table

TABLES = Path(__file__).parents[2] / "class_tables"


def written(folder, *lines):
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return folder / "table.csv"


def test_ids_names_and_colours_are_read_in_order(tmp_path):
    path = written(tmp_path, "id,name,color", "n2,car,#0a0B0c", "n1,person,")
    table = read_class_table(path)
    assert list(table) == ["n2", "n1"]
    assert [entry.name for entry in table.values()] == ["car", "person"]
    assert table["n2"].color == (10, 11, 12)
    assert table["n1"].color == chosen_color(1)


def test_chosen_colours_differ():
    colors = [chosen_color(index) for index in range(40)]
    assert len(set(colors)) == 40
    assert all(0 <= channel <= 255 for color in colors for channel in color)


def test_the_committed_tables_are_whole():
    vid = read_class_table(TABLES / "imagenet_vid.csv")
    assert len(vid) == 30
    assert vid["n02958343"].name == "car"
    assert [entry.name for entry in vid.values()] == sorted(entry.name for entry in vid.values())
    assert read_class_table(TABLES / "street_boxes.csv").keys() & vid.keys() == {"n02958343"}


def test_all_faults_of_a_table_are_named(tmp_path):
    path = written(tmp_path, "id,name,color", "n1,car,red", "n1,bus,", "n2,,", "n3,dog", "n4,bus,")
    with pytest.raises(ValueError, match="has 5 faults") as error:
        read_class_table(path)
    for part in (
        "line 2: colour 'red' is not of the form #rrggbb",
        "line 4: id and name must not be empty",
        "line 5 has 2 columns; expected 3",
        "id 'n1' occurs 2 times",
        "name 'bus' occurs 2 times",
    ):
        assert part in str(error.value)


def test_a_table_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no class table at"):
        read_class_table(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="columns are id,title; expected id,name,color"):
        read_class_table(written(tmp_path, "id,title"))
    with pytest.raises(ValueError, match="there are no classes"):
        read_class_table(written(tmp_path, "id,name,color"))
