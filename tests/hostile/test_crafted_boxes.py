"""Annotations made to harm: entities that unfold, paths that lead out, sizes and numbers beyond sense."""

import json

import pytest
from hostile.readers import make_annotation, make_boxes, make_coco, read_coco

from deltadistill.data.box_files import read_box_file
from deltadistill.preparation.class_table import read_class_table
from deltadistill.preparation.ilsvrc_xml import read_annotation
from deltadistill.preparation.imagenet_lists import read_lists

LAUGHS = "<!DOCTYPE a [<!ENTITY a0 'x'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("<annotation>", f"{LAUGHS}]><annotation>&a9;", "declares a document type or entities"),
        ("<annotation>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotation>", "declares a document type"),
        ("<width>24", "<width>1000000000", r"its size is \(16, 1000000000\); pictures of 1 to"),
        ("<width>24", "<width>-24", r"its size is \(16, -24\)"),
        ("<width>24", "<width>" + "9" * 5000, "size/width is '9+', which is no whole number"),
        ("<xmax>9", "<xmax>nan", "bndbox/xmax is nan, which is no number of pixels"),
        ("<trackid>0", "<trackid>1e3", "trackid is '1e3', which is no whole number"),
        ("<annotation>", "<annotation>\0", "is no text: byte 12 is NUL"),
    ],
)
def test_an_annotation_that_is_none_is_refused_by_name(tmp_path, before, after, fault):
    [path] = make_annotation(tmp_path)
    assert read_annotation(path)[0] == (16, 24)
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(ValueError, match=rf"000000\.xml.*{fault}") as caught:
        read_annotation(path)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize(
    ("part", "values", "fault"),
    [
        (
            "images",
            {"file_name": "../train_0.png"},
            "file_name is '../train_0.png'; expected a path without ..",
        ),
        ("images", {"file_name": "a\x1b.png"}, "file_name is .*; expected a path without .. and"),
        ("images", {"width": 10**6}, "width is 1000000; expected a number of pixels"),
        ("images", {"frame_id": -1}, "frame_id is -1; expected a whole number from 0"),
        ("images", {"id": [1]}, r"id is \[1\]; expected a whole number or text"),
        ("annotations", {"category_id": {}}, "category_id is {}; expected"),
        ("categories", {"name": "x" * 300}, "name is 'x+; expected text of 1 to 200"),
        ("videos", {"name": 3}, "name is 3; expected text"),
    ],
)
def test_values_of_another_kind_in_coco_json_are_refused_by_their_place(tmp_path, part, values, fault):
    [path] = make_coco(tmp_path)
    assert len(read_coco(tmp_path).frames) == 6
    content = json.loads(path.read_text())
    content[part][0] |= values
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"train\.json: {part}, entry 0: {fault}"):
        read_coco(tmp_path)


def test_a_video_without_a_name_in_coco_json_is_refused(tmp_path):
    [path] = make_coco(tmp_path)
    content = json.loads(path.read_text())
    del content["videos"][0]["name"]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"train\.json: videos, entry 0 has no name"):
        read_coco(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('"size":[16,24]', '"size":[1000000,1000000]', r"its size is \[1000000, 1000000\]"),
        ('"size":[16,24]', '"size":[16]', r"its size is \[16\], not height and width"),
        ('"box":[1,2,10,12]', '"box":[NaN,2,10,12]', "NaN is no number"),
        ('"box":[1,2,10,12]', '"box":[[1],2,10,12]', "is not readable as boxes"),
        ('"id":7', '"id":99999999999999999999', "has more than 18 digits"),
        ('"class":"car"', '"class":["car"]', "is not one of car, person"),
        ('"0":', '"zero":', "is not readable as boxes"),
    ],
)
def test_boxes_beyond_sense_are_refused_by_name(tmp_path, before, after, fault):
    [path] = make_boxes(tmp_path)
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(ValueError, match=rf"boxes\.json.*{fault}") as caught:
        read_box_file(path, ["car", "person"])
    assert type(caught.value) is ValueError


@pytest.mark.parametrize("row", [b"\xff", b"a,\0,", b"x" * 200_000])
def test_tables_and_lists_that_are_no_text_are_refused_by_name(tmp_path, row):
    folder = tmp_path / "ImageSets" / "VID"
    folder.mkdir(parents=True)
    path = folder / "val.txt"
    path.write_bytes(b"id,name,color\n" + row)
    with pytest.raises(ValueError, match=r"val\.txt(, line 2| is no)") as caught:
        read_class_table(path)
    assert type(caught.value) is ValueError
    if b"x" not in row:
        with pytest.raises(ValueError, match=r"val\.txt is no"):
            read_lists(tmp_path, "VID", "val", [])
