import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_dataset():
    """The module small_dataset.py of this folder."""
    spec = importlib.util.spec_from_file_location("small_dataset", Path(__file__).parent / "small_dataset.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
