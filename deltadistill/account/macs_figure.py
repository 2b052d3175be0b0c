"""A bar per layer: the teacher's MACs in pale, the compressed student's in full, by part of the network."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from deltadistill.account.macs_table import LayerMacs

# Okabe and Ito's palette: distinguishable with every common colour-vision deficiency.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7b4fa3")
_PALE = 0.28


def draw(rows: Sequence[LayerMacs], parts: Mapping[str, str], *, layers: int) -> Figure:
    """Draw the `layers` dearest rows, dearest first; `parts` maps a row's name to its part.

    A layer that was not converted has a hatched bar: it costs the same on every frame.
    """
    shown = sorted(rows, key=lambda row: row.teacher_macs, reverse=True)[:layers]
    names = list(dict.fromkeys(parts[row.name] for row in rows))
    colours = {part: _COLOURS[i % len(_COLOURS)] for i, part in enumerate(names)}
    drawn = Figure(figsize=(7.2, 1.5 + 0.165 * len(shown)), layout="constrained")
    axes = drawn.subplots()
    for place, row in enumerate(shown):
        colour, megamacs = colours[parts[row.name]], row.teacher_macs / 1e6
        kept = row.compressed_macs is None
        hatch: dict[str, Any] = {"hatch": "/////", "edgecolor": colour, "linewidth": 0} if kept else {}
        axes.barh(place, megamacs, height=0.74, color=(colour, _PALE), **hatch)
        if row.compressed_macs is not None:
            axes.barh(place, row.compressed_macs / 1e6, height=0.74, color=colour)
            ratio = row.compressed_macs / row.teacher_macs
            axes.annotate(
                f"{ratio:.2f}",
                (megamacs, place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color="#4d5560",
            )
    axes.set_yticks(range(len(shown)), [row.name or "network" for row in shown], fontsize=7.5)
    axes.invert_yaxis()
    axes.margins(x=0.06, y=0.01)
    axes.grid(axis="x", color="#d5dae0", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("million MACs per frame (the number is compressed / teacher)")
    left_out = f", the {len(shown)} dearest of {len(rows)} layers" if len(shown) < len(rows) else ""
    axes.set_title(f"MACs of teacher (pale) and compressed student (full){left_out}", loc="left", fontsize=10)
    handles = [Patch(color=colours[part], label=part) for part in names]
    handles.append(
        Patch(facecolor="#ffffff", edgecolor="#4d5560", hatch="/////", linewidth=0, label="not converted")
    )
    axes.legend(handles=handles, loc="lower right", fontsize=8, frameon=True, framealpha=0.9)
    return drawn


def write(drawn: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the figure alone."""
    buffer = io.BytesIO()  # Pillow, writing to a full disk, does not say so
    drawn.savefig(buffer, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    path.write_bytes(buffer.getbuffer())
