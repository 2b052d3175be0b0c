import pytest

from deltadistill.data.label_table import IGNORE, ClassEntry, label_ids_to_classes, table


def test_official_label_ids_become_the_19_train_ids():
    lookup = label_ids_to_classes(table("cityscapes_19"))
    ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    assert [int(lookup[label]) for label in ids] == list(range(19))
    others = [label for label in range(256) if label not in ids]
    assert {int(lookup[label]) for label in others} == {IGNORE}


def test_the_street_table_joins_poles_and_signs():
    classes = table("street_8")
    lookup = label_ids_to_classes(classes)
    names = ["road", "sidewalk", "building", "vegetation", "sky", "car", "person", "pole/sign"]
    assert [entry.name for entry in classes] == names
    assert lookup[17] == lookup[20] == 7
    assert lookup[26] == 5


def test_an_unknown_table_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'ade20k'; there are cityscapes_19, street_8"):
        table("ade20k")


def test_a_label_id_of_two_classes_is_refused():
    classes = (ClassEntry("a", (0, 0, 0), (1, 2)), ClassEntry("b", (0, 0, 0), (2,)))
    with pytest.raises(ValueError, match="label id 2 belongs to both 'a' and 'b'"):
        label_ids_to_classes(classes)
