"""Draws mutations of the library with a seed: one of every place where Cosmic Ray knows a slip."""

import ast
import difflib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from parso.tree import NodeOrLeaf

ROOT = Path(__file__).resolve().parents[1]
_BINARY = {"arith_expr", "term", "power", "expr", "and_expr"}  # what a sign stands in that is no f(*x)


@dataclass(frozen=True)
class Mutant:
    """One change: its file, line and column, and what Cosmic Ray does there."""

    path: str
    place: tuple[int, int]
    operator: str
    occurrence: int

    def change(self) -> tuple[str, str]:
        """What stands there, and what becomes of it."""
        before = (ROOT / self.path).read_text(encoding="utf-8")
        after = mutate_code(before, get_operator(self.operator)(), self.occurrence)
        lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
        return tuple(" ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+")


def draw(settings: dict[str, Any], seed: int) -> list[Mutant]:
    """One mutant of every place in all rooms, in an order that the seed decides."""
    files = (path.relative_to(ROOT) for room in settings["rooms"] for path in (ROOT / room).rglob("*.py"))
    places: dict[tuple, list[Mutant]] = {}
    for path in sorted({str(file) for file in files} - set(settings["without"])):
        for mutant in mutants_of(path, settings["operators"], settings["guards"]):
            places.setdefault((path, mutant.place), []).append(mutant)
    draws = random.Random(seed)
    drawn = [draws.choice(mutants) for mutants in places.values()]
    draws.shuffle(drawn)
    return drawn


def mutants_of(path: str, operators: Sequence[str], guards: Sequence[str]) -> Iterator[Mutant]:
    """All mutants of a file but those of annotations and guards, which nothing computes with."""
    source = (ROOT / path).read_text(encoding="utf-8")
    nodes, notes = list(ast_nodes(get_ast(source))), list(_annotations(source))
    for name in operators:
        operator = get_operator(f"core/{name}")()
        places = ((node, start) for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (node, place) in enumerate(places):
            computes = not _is_guard(node, guards) and ("Binary" not in name or node.parent.type in _BINARY)
            if computes and not any(start <= place < end for start, end in notes):
                yield Mutant(path, place, f"core/{name}", occurrence)


def _is_guard(node: NodeOrLeaf, guards: Sequence[str]) -> bool:
    holder = node.parent
    return bool(holder) and holder.type == "argument" and holder.children[0].get_code().strip() in guards


def _annotations(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for node in ast.walk(ast.parse(source)):
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if note is not None:
                yield (note.lineno, note.col_offset), (note.end_lineno, note.end_col_offset)
