"""What a command of the console script is: its help, its arguments, and where the work is done."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Result = dict[str, Any] | None
"""What a command found, as plain values for JSON; None where everything is said on the way."""


@dataclass(frozen=True)
class Command:
    """A command, as its file describes it; showing its help imports nothing of what it runs.

    summary: one line. example: a command line to copy. describe: adds the arguments to a parser.
    work: where the function is, package.module:name; it takes the parsed arguments and returns a Result.
    """

    summary: str
    example: str
    describe: Callable[[argparse.ArgumentParser], None]
    work: str

    def run(self, arguments: argparse.Namespace) -> Result:
        """Import what does the work, and do it."""
        module, _, name = self.work.partition(":")
        return getattr(import_module(module), name)(arguments)
