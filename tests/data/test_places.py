"""Where the files of a manifest may lie, and how that is written."""

import os

import pytest

from deltadistill.data.places import elsewhere, fault, written


@pytest.fixture
def folder(tmp_path):
    for name in ("set/inner", "set2", "away/b"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("set/a.png", "set/inner/b.png", "set2/c.png", "away/d.png", "away/b/e.png"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path / "set"


def test_what_lies_in_the_folder_is_written_relative_and_all_else_absolute(folder):
    root = folder.parent
    assert written(folder / "a.png", folder) == "a.png"
    assert written(folder / "inner" / ".." / "inner" / "b.png", folder) == "inner/b.png"
    assert written(root / "set2" / "c.png", folder) == str(root / "set2" / "c.png")  # a name begins alike
    assert written(root / "away" / "d.png", folder) == str(root / "away" / "d.png")


def test_a_link_out_of_the_folder_is_written_absolute_and_one_inside_is_not(folder):
    (folder / "out.png").symlink_to(folder.parent / "away" / "d.png")
    (folder / "in.png").symlink_to(folder / "a.png")
    assert written(folder / "out.png", folder) == str(folder / "out.png")
    assert written(folder / "in.png", folder) == "in.png"


def test_the_common_folder_of_all_files_elsewhere_is_named(folder):
    away = folder.parent / "away"
    assert elsewhere([folder / "a.png"], folder) == ()
    assert elsewhere([folder / "a.png", away / "d.png", away / "b" / "e.png"], folder) == (away,)
    assert elsewhere([away / "b" / "e.png"], folder) == (away / "b",)


def test_files_of_the_folder_and_of_those_named_may_be_read(folder):
    root = folder.parent
    away = root / "away"
    for text in ("a.png", "inner/b.png", str(folder / "a.png"), "n" * 255, "é" * 127):
        assert fault(text, folder, ()) is None
    assert fault(str(away / "d.png"), folder, (root / "set2", away)) is None
    assert "lies outside the data set's folder" in fault(str(away / "d.png"), folder, ())
    assert "lies outside" in fault(str(root / "set2" / "c.png"), folder, (away,))


@pytest.mark.parametrize("text", ["../set2/c.png", "inner/../a.png", "a\n.png", "n" * 256, "é" * 128])
def test_what_is_no_plain_path_is_refused(folder, text):
    assert "is no plain path" in fault(text, folder, ())


def test_a_link_out_of_the_folder_is_refused_with_where_it_leads(folder):
    target = folder.parent / "away"
    (folder / "out.png").symlink_to(target / "d.png")
    (folder / "side").symlink_to(target)
    assert f"to {os.path.realpath(target / 'd.png')}" in fault("out.png", folder, ())
    assert "is a link out of the data set's folder" in fault("side/d.png", folder, ())
