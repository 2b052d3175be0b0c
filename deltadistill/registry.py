"""Tables of what parameters may name: entries of this library, and a user's own as package.module:name.

A room with a seam has a file registry.py with its tables and nothing else. Tables hold import paths, so that
reading one imports nothing, and a stage depends on the code of the entries that its parameters name and of no
other (pipeline/code_of_stages.py).
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

_SEPARATOR = ":"


@dataclass(frozen=True)
class Registry:
    """Entries of one kind by name; each is an import path package.module:attribute.

    kind: what an entry is, for error messages.
    """

    kind: str
    entries: Mapping[str, str]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def knows(self, name: str) -> bool:
        """Whether `name` is in the table, or has the form of a user's own entry."""
        return name in self.entries or is_path(name)

    def path(self, name: str) -> str:
        """The import path of an entry; ValueError for a name that is neither in the table nor a path."""
        if not self.knows(name):
            raise ValueError(
                f"{self.kind} {name!r:.80} is unknown; allowed: {', '.join(self.entries)}, or one of your "
                "own as package.module:name"
            )
        return self.entries.get(name, name)

    def find(self, name: str) -> Any:
        """Import an entry; ValueError for an unknown name, and for a path that leads nowhere."""
        module, _, attribute = self.path(name).partition(_SEPARATOR)
        if name not in self.entries and str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))  # a script has only its own folder there
        try:
            return getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if not _is_about(error, module):
                raise  # the module is there and misses something itself
            raise ValueError(
                f"{self.kind} {name!r}: there is no module {error.name!r}; it must lie in the folder that "
                "the command is run from, or be installed"
            ) from None
        except AttributeError:
            raise ValueError(f"{self.kind} {name!r}: the module {module} has no {attribute!r}") from None

    def find_loaded(self, name: str) -> Any:
        """The same for a name out of a file that may come from anywhere, which must not import anything.

        Of a user's own entries it finds those alone whose module is imported already; ValueError for others.
        """
        module = self.path(name).partition(_SEPARATOR)[0]
        if name not in self.entries and module not in sys.modules:
            raise ValueError(
                f"{self.kind} {name!r:.80} is named by a file, which may not make this program import code; "
                f"if you trust it, name it in the parameters ({self.kind}: {name:.80}), or import "
                f"{module:.80} first"
            )
        return self.find(name)


def is_path(name: str) -> bool:
    """Whether a name has the form package.module:name."""
    module, separator, attribute = name.partition(_SEPARATOR)
    return bool(separator) and attribute.isidentifier() and all(map(str.isidentifier, module.split(".")))


def _is_about(error: ModuleNotFoundError, module: str) -> bool:
    return error.name is not None and (module == error.name or module.startswith(f"{error.name}."))
