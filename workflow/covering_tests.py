"""Which test files run which lines of a room, found out by running each of them once."""

import ast
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

LINES_TO = "MUTANTS_LINES_TO"  # the file that a child writes what it ran to


@dataclass
class Covering:
    """Seconds that each test file takes, and the lines, (file, number), that it runs."""

    seconds: dict[str, float]
    lines: dict[str, set[tuple[str, int]]]

    def of(self, path: str, line: int) -> list[str]:
        """The test files that run the statement at a line of the library, the fastest first."""
        wanted = {(path, number) for number in statement_lines(Path(path).read_text(encoding="utf-8"), line)}
        return sorted(
            (test for test in self.lines if self.lines[test] & wanted), key=self.seconds.__getitem__
        )


def cover(room: str, tests: Iterable[str], runs: Callable[[Sequence[str]], bool], folder: Path) -> Covering:
    """Run each test file once, and note what it runs of the room; SystemExit where one fails."""
    found = Covering({}, {})
    for test in tests:
        told = folder / "lines.json"
        os.environ[LINES_TO] = json.dumps([room, str(told)])
        began = time.monotonic()
        if not runs([test]):
            raise SystemExit(f"without any mutant this fails already: pytest {test}")
        del os.environ[LINES_TO]
        found.seconds[test] = time.monotonic() - began
        found.lines[test] = {(path, line) for path, line in json.loads(told.read_text())}
    return found


def note_lines() -> Callable[[], None]:
    """Where the parent asks for it, watch the lines of a room from now on; call the result to tell."""
    if LINES_TO not in os.environ:
        return lambda: None
    room, told = json.loads(os.environ[LINES_TO])
    below, seen = os.path.join(os.getcwd(), room, ""), set()

    def inside(frame: FrameType, event: str, argument: Any) -> Callable:
        seen.add((frame.f_code.co_filename, frame.f_lineno))
        return inside

    def enter(frame: FrameType, event: str, argument: Any) -> Callable | None:
        return inside(frame, event, argument) if frame.f_code.co_filename.startswith(below) else None

    def tell() -> None:
        sys.settrace(None)
        rows = sorted((os.path.relpath(path), line) for path, line in seen)
        Path(told).write_text(json.dumps(rows))

    sys.settrace(enter)
    threading.settrace(enter)
    return tell


def statement_lines(source: str, line: int) -> set[int]:
    """The lines of the statement at a line: of a compound one its head, of a function's head its body."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt))
    around = [node for node in nodes if _first(node) <= line <= node.end_lineno]
    inner = max(around, key=lambda node: (_first(node), -node.end_lineno), default=None)
    if inner is None:
        return {line}
    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
        return set(range(inner.body[0].lineno, inner.end_lineno + 1))
    body = getattr(inner, "body", None)
    if not body:
        return set(range(inner.lineno, inner.end_lineno + 1))
    head = set(range(inner.lineno, max(body[0].lineno, inner.lineno + 1)))
    return head if line in head else {line}  # such as the head of an except


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
