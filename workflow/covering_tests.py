"""Which tests run which lines of a room, found out by running each of them once."""

import ast
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest


@dataclass
class Covering:
    """Of each test its seconds and the lines, (file, number), of a room that it runs."""

    seconds: dict[str, float]
    lines: dict[str, set[tuple[str, int]]]

    def of(self, path: str, line: int) -> list[str]:
        """The tests that a change at a line of a file may concern, the fastest first.

        They run its statement. Of what runs on import alone, such as a constant, they are those of the test
        files that run anything of its file; and where none does, as of a file of constants, all.
        """
        lines = statement_lines(Path(path).read_text(encoding="utf-8"), line)
        wanted = {(path, number) for number in lines}
        if on_import(Path(path).read_text(encoding="utf-8"), line):
            near = [test for test, seen in self.lines.items() if any(file == path for file, _ in seen)]
            files = set(files_of(near or self.lines))
            found = [test for test in self.lines if test.partition("::")[0] in files]
        else:
            found = [test for test, seen in self.lines.items() if seen & wanted]
        return sorted(found, key=self.seconds.__getitem__)


class Notes:
    """A plugin of pytest that notes what each test runs of a room, in a file at the end."""

    def __init__(self, room: str, told: Path):
        self._below, self._told = os.path.join(os.getcwd(), room, ""), told
        self._seen: set[tuple[str, int]] = set()
        self._tests: dict[str, list[Any]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Run one test, fixtures included."""
        self._seen, began = set(), time.monotonic()
        sys.settrace(self._enter)
        threading.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            rows = sorted((os.path.relpath(path), line) for path, line in self._seen)
            self._tests[item.nodeid] = [time.monotonic() - began, rows]

    def pytest_sessionfinish(self) -> None:
        """Tell."""
        self._told.write_text(json.dumps(self._tests))

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Callable | None:
        if not frame.f_code.co_filename.startswith(self._below):
            return None
        return self._inside(frame, event, argument)

    def _inside(self, frame: FrameType, event: str, argument: Any) -> Callable:
        self._seen.add((frame.f_code.co_filename, frame.f_lineno))
        return self._inside


class Only:
    """A plugin of pytest that runs some tests alone, in their order."""

    def __init__(self, tests: Sequence[str]):
        self._place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Choose and sort."""
        chosen = [item for item in items if item.nodeid in self._place]
        items[:] = sorted(chosen, key=lambda item: self._place[item.nodeid])


def read_notes(told: Path) -> Covering:
    """What `Notes` has written."""
    tests = json.loads(told.read_text())
    lines = {test: {(path, line) for path, line in rows} for test, (_, rows) in tests.items()}
    return Covering({test: seconds for test, (seconds, _) in tests.items()}, lines)


def files_of(tests: Collection[str]) -> list[str]:
    """The files of tests."""
    return list(dict.fromkeys(test.partition("::")[0] for test in tests))


def statement_lines(source: str, line: int) -> set[int]:
    """The lines of the statement at a line: of a compound one its head, of a function's head its body."""
    inner = _around(source, line)[-1:]
    if not inner:
        return {line}
    (node,) = inner
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return set(range(node.body[0].lineno, node.end_lineno + 1))
    body = getattr(node, "body", None)
    if not body:
        return set(range(node.lineno, node.end_lineno + 1))
    head = set(range(node.lineno, max(body[0].lineno, node.lineno + 1)))
    return head if line in head else {line}  # such as the head of an except


def on_import(source: str, line: int) -> bool:
    """Whether the statement at a line runs when its file is imported, and is no function's head."""
    return not any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in _around(source, line))


def _around(source: str, line: int) -> list[ast.stmt]:
    """The statements that a line is part of, from the outermost on."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt))
    around = [node for node in nodes if _first(node) <= line <= node.end_lineno]
    return sorted(around, key=lambda node: (_first(node), -node.end_lineno))


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
