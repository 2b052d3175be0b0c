"""Adapters: what YAML and Python files may say, and what they may not when they come with something."""

import numpy as np
import pytest

from deltadistill.runtime.picture_form import PictureForm
from deltadistill.video.adapter import find_decoder, read_adapter
from deltadistill.video.decoders import boxes, by_form, labels

YAML = """
pictures: {size: [512, 1024], fit: letterbox, order: bgr, mean: [0.4, 0.5, 0.6]}
decoder: boxes
categories: names.txt
threshold: 0.4
background: 0
"""
PYTHON = """
pictures = {"size": (8, 8)}
categories = ["cat", "dog"]

def decode(outputs):
    return {"boxes": outputs["b"] * 2}
"""


def test_yaml_says_how_pictures_go_in_and_what_comes_out(tmp_path):
    (tmp_path / "names.txt").write_text("person\ncar\n")
    (tmp_path / "a.yaml").write_text(YAML)
    adapter = read_adapter(tmp_path / "a.yaml")
    form = PictureForm(**{**adapter.pictures, "size": tuple(adapter.pictures["size"])})
    assert (form.fit, form.order) == ("letterbox", "bgr")
    assert adapter.decode is boxes
    assert (adapter.showing.categories, adapter.showing.threshold) == (("person", "car"), 0.4)
    assert adapter.showing.background == 0


def test_python_says_the_same_by_its_variables_and_decodes_by_a_function(tmp_path):
    (tmp_path / "a.py").write_text(PYTHON)
    adapter = read_adapter(tmp_path / "a.py")
    assert adapter.decode({"b": np.ones((1, 4))})["boxes"].tolist() == [[2, 2, 2, 2]]
    assert (adapter.pictures, adapter.showing.categories) == ({"size": (8, 8)}, ("cat", "dog"))


def test_what_an_adapter_leaves_out_is_as_without_one(tmp_path):
    (tmp_path / "a.yaml").write_text("threshold: 0.1\n")
    adapter = read_adapter(tmp_path / "a.yaml")
    assert (adapter.decode, adapter.pictures, adapter.showing.categories) == (by_form, {}, ())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("decode: boxes", "it has decode; an adapter has pictures, decoder, categories"),
        ("- boxes", "it is no mapping"),
        ("decoder: circles", "decoder 'circles' is unknown; allowed: labels, boxes"),
        ("threshold: 2", r"threshold is 2; expected a number in 0\.\.1"),
        ("categories: 5", "categories are 5; expected names"),
        ("categories: none.txt", "there is no file of categories"),
        ("background: sky", "background is 'sky'; expected the number of a class"),
        ("decoder: other.py:decode", "there is no file"),
        ("a: [", "not valid YAML"),
    ],
)
def test_what_is_no_adapter_is_said_with_its_key(tmp_path, text, says):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=says):
        read_adapter(tmp_path / "a.yaml")


def test_a_function_of_a_file_beside_the_adapter_decodes(tmp_path):
    (tmp_path / "mine.py").write_text("def both(outputs):\n    return {'map': outputs}\n")
    (tmp_path / "a.yaml").write_text("decoder: mine.py:both\n")
    assert read_adapter(tmp_path / "a.yaml").decode(3) == {"map": 3}
    with pytest.raises(ValueError, match=r"the file defines no other\(outputs\)"):
        find_decoder(f"{tmp_path}/mine.py:other")
    assert find_decoder("labels") is labels
    assert find_decoder("deltadistill.video.decoders:labels") is labels


@pytest.mark.parametrize("decoder", ["mine.py:both", "os:system"])
def test_an_adapter_that_came_with_something_names_no_code(tmp_path, decoder):
    (tmp_path / "mine.py").write_text("raise SystemExit('executed')\n")
    (tmp_path / "a.yaml").write_text(f"decoder: {decoder}\n")
    with pytest.raises(ValueError, match="came with what is run and names code"):
        read_adapter(tmp_path / "a.yaml", trusted=False)
    with pytest.raises(ValueError, match="came with what is run and is code"):
        read_adapter(tmp_path / "mine.py", trusted=False)
