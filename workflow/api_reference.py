"""The API reference, made from the docstrings by pdoc: make docs."""

import importlib
import pkgutil
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pdoc.docstrings

FOLDER = Path("api")
# Annotations of pydantic and ruamel.yaml, which pdoc cannot look up; it shows them as they are written.
_NOT_OURS = "(Error parsing type annotation|Failed to run TYPE_CHECKING code)"
# Where a line of a docstring, after the end of a sentence, begins to say what an argument is.
_ARGUMENT = re.compile(r"(\A|[.:;\n]\n)(\w+): ")


def write(folder: Path) -> None:
    """Write one page per module of the library, and an index with a search, into a folder."""
    name_everything(importlib.import_module("deltadistill"))
    pdoc.docstrings.google = arguments_as_list
    pdoc.render.configure(docformat="google", footer_text="deltadistill")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _NOT_OURS, UserWarning)
        pdoc.pdoc("deltadistill", output_directory=folder)


def name_everything(package: ModuleType) -> None:
    """Load the names that a package loads on first use, and let it name its modules too.

    pdoc shows what stands in a module's namespace, and of a package with `__all__` only the modules in it.
    """
    inner = [module.name for module in pkgutil.iter_modules(package.__path__)]
    for name in inner:
        module = importlib.import_module(f"{package.__name__}.{name}")
        if hasattr(module, "__path__"):
            name_everything(module)
    if hasattr(package, "__all__"):
        vars(package).update({name: getattr(package, name) for name in package.__all__})
        package.__all__ = [*package.__all__, *sorted(set(inner) - set(package.__all__))]


def arguments_as_list(docstring: str) -> str:
    """Markdown of a docstring: lines on arguments, such as `steps: optimiser steps`, become a list."""
    return _ARGUMENT.sub(r"\1- `\2`: ", docstring).replace("\nRaises ", "\n\nRaises ")


def main() -> int:
    """Write the reference and say where it is."""
    write(FOLDER)
    print(f"{FOLDER}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
