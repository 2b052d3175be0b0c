"""YAML and JSON made to harm: references that unfold without end, deep nesting, numbers that are none."""

import json
from pathlib import Path

import pytest
from hostile.readers import make_params

from deltadistill.files import commented_yaml
from deltadistill.files.limits import MOST_YAML_BYTES
from deltadistill.files.plain_yaml import parse_yaml
from deltadistill.files.strict_json import read_json
from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import params

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)  # 9⁹ values in a kilobyte


@pytest.fixture
def written(tmp_path):
    """Write params.yaml with a text after the project's own, or instead of it."""
    [path] = make_params(tmp_path)

    def write(text: str | bytes, *, instead: bool = False) -> Path:
        content = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(content if instead else path.read_bytes() + content)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (LAUGHS, "unfolds to more than the 50000 values allowed"),
        ("a: &a [*a]", "refers to what holds it"),
        ("a: *nothing", "refers to what holds it, or to nothing"),
        ("a: " + "[" * 5000, "nested more than 50 deep"),
        ("a: " + "{a: " * 60 + "1" + "}" * 60, "nested more than 50 deep"),
        ("a: !!python/object/apply:os.system [touch ran]", "could not determine a constructor"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ("a: " + "9" * 5000, "digits"),
        ("seeds: [1]", "found duplicate key"),
        ("a: \x07", "special characters are not allowed"),
    ],
)
def test_yaml_that_is_no_settings_is_refused_by_name(written, tmp_path, monkeypatch, text, fault):
    monkeypatch.chdir(tmp_path)
    path = written(text)
    for read in (params.load, commented_yaml.load):
        if read is commented_yaml.load and fault.startswith(("could not", "month", "digits")):
            continue  # tags and odd values stay what they are there, and are refused when they are checked
        with pytest.raises(ValueError, match=rf"params\.yaml: not valid YAML: (?s:.*){fault}") as caught:
            read(path)
        assert type(caught.value) is ValueError
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a: \xff", "is no UTF-8 text: byte 3 is 0xff"),
        (b"a: \0", "is no text: byte 3 is NUL"),
        (b"#" * (MOST_YAML_BYTES + 1), f"has more than the {MOST_YAML_BYTES} bytes allowed"),
    ],
)
def test_a_parameter_file_that_is_no_text_is_refused_by_name(written, content, fault):
    with pytest.raises(ValueError, match=rf"params\.yaml {fault}") as caught:
        params.load(written(content, instead=True))
    assert type(caught.value) is ValueError


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e999"])
def test_a_setting_that_is_no_number_is_refused_by_key(written, value):
    text = written("").read_text().replace("learning_rate: 0.003", f"learning_rate: {value}")
    with pytest.raises(ValueError, match=r"pretrain_teacher\.optimiser\.learning_rate: .*finite number"):
        params.load(written(text, instead=True))


def test_references_that_unfold_to_little_are_allowed():
    assert parse_yaml("a: &a [1, 2]\nb: [*a, *a]", name="x") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


def test_an_overlay_that_unfolds_is_refused_and_params_stay(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = written("").read_text()
    (tmp_path / "flood.yaml").write_text("experiment: flood\n" + LAUGHS)
    with pytest.raises(ValueError, match=r"flood\.yaml: not valid YAML: .*unfolds"):
        overlay.put(Path("flood.yaml"))
    assert (Path("params.yaml").read_text(), overlay.RECORD.exists()) == (before, False)


@pytest.mark.parametrize(
    "record",
    [
        "overlay: a\nextra: []\nbefore: b\nafter: c\nchanges: [{key: [seeds]}]",
        "overlay: a\nextra: []\nbefore: b\nafter: c\nchanges: [{key: 3, after: 1}]",
        "overlay: a\nextra: []\nbefore: [b]\nafter: c\nchanges: []",
        "overlay: a\nextra: 3\nbefore: b\nafter: c\nchanges: []",
        LAUGHS,
    ],
)
def test_a_record_of_an_overlay_that_is_none_is_refused(written, tmp_path, monkeypatch, record):
    monkeypatch.chdir(tmp_path)
    written("")
    overlay.RECORD.write_text(record)
    for action in (overlay.show, overlay.off):
        with pytest.raises(ValueError, match=r"\.overlay\.yaml is damaged .* put params\.yaml right by hand"):
            action()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "1e999 is too large"),
        ('{"a": %s}' % ("9" * 30), "has more than 18 digits"),
        ('{"a": 1, "b": {"c": 2, "c": 3}}', "the key 'c' occurs twice"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a": 1', "Expecting"),
        ("", "Expecting value"),
        ('{"a": "\\ud800"}{', "Extra data"),
    ],
)
def test_json_that_nothing_here_writes_is_refused_by_name(tmp_path, text, fault):
    path = tmp_path / "sweep.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"sweep\.json is not JSON.*{fault}.*; run it again") as caught:
        read_json(path, remedy="run it again")
    assert type(caught.value) is ValueError


def test_json_of_the_usual_kinds_is_read(tmp_path):
    content = {"a": [1, -2.5, None, True, "é"], "b": {"c": 10**17}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_json(tmp_path / "a.json", remedy="") == content
