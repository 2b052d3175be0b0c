"""The files behind a script, read off its source."""

from pathlib import Path

import pytest

from deltadistill.pipeline.imported_files import file_of, files_behind


@pytest.fixture
def root(tmp_path):
    files = {
        "stages/one.py": "import room.inner\n\ndef main():\n    from room import late\n",
        "room/__init__.py": '"""Nothing but words."""\n',
        "room/inner.py": "from typing import TYPE_CHECKING\n"
        "from .deep import leaf\n"
        "if TYPE_CHECKING:\n    from room.types import Only\n",
        "room/late.py": "import numpy\nfrom room.registry import TABLE\n",
        "room/types.py": "Only = 1\n",
        "room/registry.py": "TABLE = 1\n",
        "room/deep/__init__.py": "from room.deep.beside import here\n",
        "room/deep/beside.py": "here = 1\nmore = 2\n",
        "room/deep/leaf.py": "x = 1\ny = 2\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_files_are_found_through_packages_functions_and_relative_imports(root):
    found = {path.as_posix() for path in files_behind(Path("stages/one.py"), root)}
    assert found == {
        "stages/one.py",
        "room/inner.py",
        "room/late.py",
        "room/deep/__init__.py",
        "room/deep/beside.py",
        "room/deep/leaf.py",
    }


def test_an_installed_module_is_none_of_a_packages_files_and_one_beside_a_script_is_its(root):
    (root / "room" / "copy.py").write_text("x = 1\ny = 2\n")
    (root / "room" / "inner.py").write_text("import copy\nimport beside\n")
    (root / "stages" / "beside.py").write_text("x = 1\ny = 2\n")
    (root / "stages" / "one.py").write_text("import room.inner\nimport beside\n")
    found = {path.as_posix() for path in files_behind(Path("stages/one.py"), root)}
    assert found == {"stages/one.py", "stages/beside.py", "room/inner.py"}


def test_what_only_a_type_checker_reads_and_tables_are_left_out(root):
    found = {path.as_posix() for path in files_behind(Path("stages/one.py"), root)}
    assert not found & {"room/types.py", "room/registry.py", "room/__init__.py"}


def test_a_module_is_a_file_or_a_package_and_an_installed_one_neither(root):
    assert file_of("room.inner", root) == Path("room/inner.py")
    assert file_of("room.deep", root) == Path("room/deep/__init__.py")
    assert file_of("numpy", root) is None
