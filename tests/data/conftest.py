import importlib.util
from pathlib import Path

import pytest


def module(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="session")
def small_dataset():
    """The module small_dataset.py of this folder."""
    return module("small_dataset")


@pytest.fixture(scope="session")
def imagenet_layout():
    """The module imagenet_layout.py of this folder."""
    return module("imagenet_layout")
