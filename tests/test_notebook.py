"""The notebooks of examples/ run from the first cell to the last, in an empty folder."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def cells(notebook):
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(notebook):
    kept = [cell for cell in cells(notebook) if cell["outputs"] or cell["execution_count"] is not None]
    assert not kept, "clear all outputs before the notebook is committed"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime", reason="an optional package")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells(notebook)):
        code = compile(ast.parse("".join(cell["source"])), f"{notebook.name}, cell {number}", "exec")
        exec(code, names)
    assert (tmp_path / "runner" / "report.html").is_file()
    assert (tmp_path / "out.mp4").stat().st_size > 0
    printed = capsys.readouterr().out
    assert "'as it is': (1, " in printed
    assert "Page: runner/report.html" in printed
