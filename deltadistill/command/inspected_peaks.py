"""Lower peaks in an inspection: what patches reach without training, beside students that pool earlier."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from deltadistill.account.lower_peaks import lower_peaks
from deltadistill.account.memory_table import MIB


def peaks_below(
    network: nn.Module, frame: Tensor, run: Callable[[nn.Module, Tensor], Any], memory_mib: float | None
) -> list[dict[str, Any]]:
    """Rows of `lower_peaks` as plain values; with a budget in MiB, what patches reach within it too."""
    budget = None if memory_mib is None else memory_mib * MIB
    found = lower_peaks(network, tuple(frame.shape[1:]), budget=budget, run=run)
    return [asdict(row) for row in found]


def printed_peaks(result: Mapping[str, Any]) -> str:
    """What an inspection says of lower peaks; nothing where it was not asked."""
    if result["lower_peaks"] is None:
        return ""
    rows, macs = result["lower_peaks"], result["macs"]
    lines = [_line(row, macs) for row in rows if row["problem"] is None]
    none = [_refused(rows, way) for way in ("patches", "pooling")]
    head = "Lower peaks of a frame, MiB, and MACs as a share of what they are:"
    return "\n".join([head, *lines, *(line for line in none if line)])


def _line(row: Mapping[str, Any], macs: int) -> str:
    share = f"×{row['macs'] / macs:.2f}" if macs else ""
    return f"{row['peak'] / MIB:10.3f} {share:>6}  {_what(row)}"


def _what(row: Mapping[str, Any]) -> str:
    if row["way"] == "pooling":
        return f"pooling {row['factor']} times earlier (ReDistill, to be trained)"
    plan, within = row["plan"], row["within"]
    asked = "" if within is None else f" within {within / MIB:.3f}"
    layers = f"{plan['layers']} layer{'s' if plan['layers'] > 1 else ''}, up to {plan['until']}"
    return f"patch by patch{asked}: {layers}, in {plan['sides']}×{plan['sides']} patches"


def _refused(rows: Sequence[Mapping[str, Any]], way: str) -> str:
    """What of one way there is not, and why the first of it is not."""
    there_not = [row for row in rows if row["way"] == way and row["problem"] is not None]
    if not there_not:
        return ""
    if way == "pooling":
        what = f"pooling {', '.join(str(row['factor']) for row in there_not)} times earlier"
    else:
        within = [row["within"] for row in there_not if row["within"] is not None]
        budgets = dict.fromkeys(f"{each / MIB:.3f}" for each in within)
        what = f"patch by patch within {', '.join(budgets)}" if budgets else "patch by patch"
    first_sentence = there_not[0]["problem"].partition(". ")[0]
    return f"  no {what}: {first_sentence}"
