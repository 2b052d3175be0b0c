import pytest

from deltadistill.data.label_table import IGNORE, ClassEntry, label_ids_to_classes, table

# Cityscapes' own table (helpers/labels.py of cityscapesScripts): id, name, train id (255: none), colour.
OFFICIAL = """
 0 unlabeled            255   0   0   0
 1 ego vehicle          255   0   0   0
 2 rectification border 255   0   0   0
 3 out of roi           255   0   0   0
 4 static               255   0   0   0
 5 dynamic              255 111  74   0
 6 ground               255  81   0  81
 7 road                   0 128  64 128
 8 sidewalk               1 244  35 232
 9 parking              255 250 170 160
10 rail track           255 230 150 140
11 building               2  70  70  70
12 wall                   3 102 102 156
13 fence                  4 190 153 153
14 guard rail           255 180 165 180
15 bridge               255 150 100 100
16 tunnel               255 150 120  90
17 pole                   5 153 153 153
18 polegroup            255 153 153 153
19 traffic light          6 250 170  30
20 traffic sign           7 220 220   0
21 vegetation             8 107 142  35
22 terrain                9 152 251 152
23 sky                   10  70 130 180
24 person                11 220  20  60
25 rider                 12 255   0   0
26 car                   13   0   0 142
27 truck                 14   0   0  70
28 bus                   15   0  60 100
29 caravan              255   0   0  90
30 trailer              255   0   0 110
31 train                 16   0  80 100
32 motorcycle            17   0   0 230
33 bicycle               18 119  11  32
"""


def official():
    """Each line as (id, name, train id, colour)."""
    for line in OFFICIAL.strip().splitlines():
        identity, *name, train, red, green, blue = line.split()
        yield int(identity), " ".join(name), int(train), (int(red), int(green), int(blue))


def test_every_official_label_has_its_train_id_name_and_colour():
    classes = table("cityscapes_19")
    lookup = label_ids_to_classes(classes)
    assert len(list(official())) == 34
    for identity, name, train, color in official():
        assert lookup[identity] == train
        if train != IGNORE:
            assert classes[train] == ClassEntry(name, color, (identity,))
    assert (lookup[34:] == IGNORE).all()


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
    taken = {7: 0, 8: 1, 11: 2, 12: 2, 13: 2, 21: 3, 22: 3, 23: 4, 26: 5, 27: 5, 28: 5, 24: 6, 25: 6}
    taken |= {17: 7, 19: 7, 20: 7}
    assert {label: int(lookup[label]) for label in range(256) if lookup[label] != IGNORE} == taken
    colors = {identity: color for identity, _, _, color in official()}
    assert [entry.color for entry in classes] == [colors[label] for label in (7, 8, 11, 21, 23, 26, 24, 20)]


def test_an_unknown_table_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'ade20k'; there are cityscapes_19, street_8"):
        table("ade20k")


def test_a_label_id_of_two_classes_is_refused():
    classes = (ClassEntry("a", (0, 0, 0), (1, 2)), ClassEntry("b", (0, 0, 0), (2,)))
    with pytest.raises(ValueError, match="label id 2 belongs to both 'a' and 'b'"):
        label_ids_to_classes(classes)
