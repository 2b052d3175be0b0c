"""What `deltadistill inspect` prints: a table of layers, what does not convert and why, the bounds."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from deltadistill.command.inspected_memory import printed_memory
from deltadistill.command.inspected_peaks import printed_peaks

_SHOWN = 25  # layers


def printed(result: Mapping[str, Any], *, everything: bool) -> str:
    """The result of an inspection as text."""
    parts = [
        _head(result),
        _layers(result, everything),
        _left_alone(result),
        printed_memory(result),
        printed_peaks(result),
        _bounds(result),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(result: Mapping[str, Any]) -> str:
    height, width = result["size"]
    lines = [
        f"{result['network']} on frames of {height}×{width}: {_count(result['macs'])}MACs, "
        f"{_count(result['parameters'])}parameters, {result['frame_ms']:.1f} ms a frame "
        f"(eager PyTorch, as it is; {_rounds(result['timed_rounds'])})"
    ]
    return "\n".join([*lines, *result["notes"]])


def _rounds(count: int) -> str:
    return f"medians of {count} rounds" if count > 1 else "one round: a frame takes long"


def _layers(result: Mapping[str, Any], everything: bool) -> str:
    rows = result["layers"]
    dearest = sorted(rows, key=lambda row: -(row["ms"] or 0.0))[:_SHOWN]
    shown = rows if everything else [row for row in rows if row in dearest]
    lines = [_line(row, result) for row in shown]
    left = len(rows) - len(shown)
    more = [f"… and {left} cheaper layers (--all shows them)"] if left else []
    rest = f"{result['outside_layers_ms']:8.2f} ms outside of layers"
    return "\n".join([f"{'ms':>8} {'MACs':>9} {'student':>8}  layer", *lines, *more, rest])


def _line(row: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    time = f"{row['ms']:8.2f}" if row["ms"] is not None else f"{'–':>8}"
    student = row["compressed_macs"]
    share = (
        f"{student / row['teacher_macs']:8.2f}" if row["convertible"] and student is not None else f"{'–':>8}"
    )
    why = "" if row["convertible"] else f"   ({row['reason']})"
    return f"{time} {_count(row['teacher_macs']):>9}{share}  {row['layer']}{why}"


def _left_alone(result: Mapping[str, Any]) -> str:
    if result["nothing_converts"]:
        return result["nothing_converts"]
    rows = result["layers"]
    kept = Counter(row["reason"] for row in rows if not row["convertible"])
    converted = sum(row["convertible"] for row in rows)
    macs = sum(row["teacher_macs"] for row in rows if row["convertible"])
    share = f", {macs / result['macs']:.0%} of the MACs" if result["macs"] else ""
    reasons = [f"  {count} not: {reason}" for reason, count in kept.most_common()]
    return "\n".join([f"{converted} of {len(rows)} layers convert{share}", *reasons])


def _bounds(result: Mapping[str, Any]) -> str:
    students = result["students"]
    lines = [
        f"  T = {bound['length']:<3} at most ×{bound['by_macs']:.2f} by MACs, ×{bound['by_time']:.2f} by the "
        "time of the layers"
        for bound in result["bounds"]
    ]
    what = f"one key frame every T frames, students of γ {students['gamma']} ({students['rank']})"
    return "\n".join([f"Bound of the gain, {what}:", *lines])


def _count(number: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.2f} {unit}"
    return f"{number:.0f} "
