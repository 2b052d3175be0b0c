"""The form of a network's outputs around its arrays, as it is written in a runner's description.

{"tensor": 0} is the first array; {"list": […]}, {"tuple": […]} and {"dict": {…}} hold such forms,
{"value": …} a plain value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Structure = Mapping[str, Any]


def rebuild(structure: Structure, arrays: Sequence[Any]) -> Any:
    """Put arrays back into the form that the network returned them in."""
    ((kind, content),) = structure.items()
    if kind == "tensor":
        return arrays[content]
    if kind == "dict":
        return {key: rebuild(each, arrays) for key, each in content.items()}
    if kind == "value":
        return content
    items = [rebuild(each, arrays) for each in content]
    return tuple(items) if kind == "tuple" else items


def names(structure: Structure, prefix: str = "output") -> list[str]:
    """Names of the arrays by their place: "output" for an array alone, "output.out", "output.1.boxes" …"""
    ((kind, content),) = structure.items()
    if kind == "tensor":
        return [prefix]
    if kind == "value":
        return []
    items = content.items() if kind == "dict" else enumerate(content)
    return [name for key, each in items for name in names(each, f"{prefix}.{key}")]


def faults(structure: Any, count: int) -> list[str]:
    """What is wrong with a form that comes from a file, for `count` arrays; nothing where all is right."""
    found: list[int] = []
    problem = _fault(structure, found, depth=0)
    if problem is None and sorted(found) != list(range(count)):
        problem = f"it names the arrays {sorted(found)[:10]} where there are {count}, each once"
    return [problem] if problem else []


_DEEPEST = 20


def _fault(structure: Any, found: list[int], *, depth: int) -> str | None:
    if depth > _DEEPEST:
        return f"it is nested more than {_DEEPEST} deep"
    if not isinstance(structure, dict) or len(structure) != 1:
        return f"expected one of tensor, list, tuple, dict and value, got {structure!r:.60}"
    ((kind, content),) = structure.items()
    if kind == "value" and not isinstance(content, (dict, list)):
        return None
    if kind == "tensor" and type(content) is int:
        found.append(content)
        return None
    if kind in ("list", "tuple") and isinstance(content, list):
        inner = content
    elif kind == "dict" and isinstance(content, dict):
        inner = list(content.values())
    else:
        return f"expected one of tensor, list, tuple, dict and value, got {structure!r:.60}"
    return next((problem for each in inner if (problem := _fault(each, found, depth=depth + 1))), None)
