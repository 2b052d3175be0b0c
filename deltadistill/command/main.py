"""The console script deltadistill: finds the command, runs it, and ends with a code that means something."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from deltadistill.command import exits
from deltadistill.command.command import Command
from deltadistill.command.registry import COMMANDS

_DESCRIPTION = (
    "Any network on any video, faster at the fidelity asked for: delta distillation from a command line."
)
_SPINNING = {"GOMP_SPINCOUNT": "30000"}  # as stages have it: threads that wait do not hold a busy machine up


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, `sys.argv` by default; return the exit code (`exits.TABLE`)."""
    line = sys.argv[1:] if arguments is None else list(arguments)
    as_json = "--json" in line
    _prepare()
    try:
        with exits.closing_on_sigterm():
            return _run(line)
    except (Exception, KeyboardInterrupt, exits.TerminatedError, exits.UnfinishedError) as error:
        if exits.wants_traceback():
            raise
        code, sentence = exits.ended(error)
        exits.tell(code, sentence, as_json=as_json, result=exits.result_of(error))
        return code


def script() -> None:
    """Run the command line of this process and end it: the entry point of the package."""
    sys.exit(main())


def _run(line: list[str]) -> int:
    commands = {name: COMMANDS.find(name) for name in COMMANDS}
    arguments = _parser(commands).parse_args(line)
    if arguments.version:
        print(f"deltadistill {metadata.version('deltadistill')}")
        return exits.DONE
    if arguments.command is None:
        _parser(commands).print_help()
        return exits.USAGE
    result = commands[arguments.command].run(arguments)
    if arguments.json and result is not None:
        print(json.dumps(result, ensure_ascii=False))
    return exits.DONE


def _prepare() -> None:
    """Warnings of the library on stderr, a line each; threads that do not spin for long."""
    logging.basicConfig(level=logging.WARNING, format="deltadistill: %(message)s", stream=sys.stderr)
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in _SPINNING.items():
            os.environ.setdefault(name, value)


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print and leave with code 2, which here means an input."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise exits.UsageError(f"{message}; {self.prog} --help shows what there is")


def _parser(commands: dict[str, Command]) -> argparse.ArgumentParser:
    options = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = _Parser(prog="deltadistill", description=_DESCRIPTION, epilog=exits.TABLE, **options)
    parser.add_argument("--version", action="store_true", help="print the version and end")
    inner = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in commands.items():
        text = f"example:\n  {command.example}\n\n{exits.TABLE}"
        own = inner.add_parser(
            name, help=command.summary, description=command.summary, epilog=text, **options
        )
        command.describe(own)
        own.add_argument(
            "--json", action="store_true", help="print the result as one JSON object, errors too"
        )
    return parser
