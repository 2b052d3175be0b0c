import pytest

from deltadistill.data.boxes import NO_TRACK
from deltadistill.preparation.ilsvrc_xml import Annotated, read_annotation

VID = """<annotation>
  <folder>ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000</folder><filename>000000</filename>
  <source><database>ILSVRC_2015</database></source>
  <size><width>1280</width><height>720</height></size>
  <object><trackid>2</trackid><name>n01674464</name>
    <bndbox><xmax>450</xmax><xmin>17</xmin><ymax>600</ymax><ymin>0</ymin></bndbox>
    <occluded>1</occluded><generated>0</generated></object>
</annotation>"""
DET = """<annotation>
  <size><width>500</width><height>375</height><depth>3</depth></size><segmented>0</segmented>
  <object><name>n02958343</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
    <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>500</xmax><ymax>375</ymax></bndbox></object>
</annotation>"""


def read(folder, text):
    (folder / "a.xml").write_text(text)
    return read_annotation(folder / "a.xml")


def test_objects_of_video_have_tracks_and_flags(tmp_path):
    size, objects = read(tmp_path, VID)
    assert size == (720, 1280)
    assert objects == [Annotated("n01674464", (17, 0, 450, 600), track=2, occluded=True, generated=False)]


def test_objects_of_stills_have_none(tmp_path):
    size, objects = read(tmp_path, DET)
    assert size == (375, 500)
    assert objects == [Annotated("n02958343", (1, 2, 500, 375), track=NO_TRACK)]


def test_pictures_without_objects_are_read(tmp_path):
    size, objects = read(tmp_path, "<annotation><size><width>4</width><height>3</height></size></annotation>")
    assert (size, objects) == ((3, 4), [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VID[:200], "a.xml is broken XML .*copy it again"),
        (VID.replace("<xmin>17</xmin>", ""), "a.xml: <object> has no bndbox/xmin"),
        (VID.replace("<name>n01674464</name>", "<name/>"), "a.xml: <object> has no name"),
        (VID.replace("<height>720</height>", ""), "a.xml: <annotation> has no size/height"),
        (VID.replace("17", "left"), "a.xml: could not convert string to float: 'left'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none.xml cannot be read: No such file"):
        read_annotation(tmp_path / "none.xml")
