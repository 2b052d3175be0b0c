"""One look for all figures: a colour, marker and dash per variant, sizes that stay readable on a phone.

Figures are 324 units wide, so on a phone one unit is about one pixel. On the page they are inline SVG whose
colours become CSS variables and follow the reader's light or dark scheme; as PNG files they are light.
"""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH_INCHES = 4.5  # 324 SVG units
INK, RULE = "#1b1f24", "#d5dae0"

# Okabe and Ito's palette: distinguishable with every common colour-vision deficiency.
_COLOURS = {
    "teacher": "#4d5560",
    "finetuned": "#cc79a7",
    "delta": "#0072b2",
    "feature": "#d55e00",
    "small": "#7b4fa3",
    "copy": "#009e73",
}
_MORE_COLOURS = ("#e69f00", "#56b4e9", "#8c6d31", "#a6761d")
_MARKERS = {"teacher": "s", "finetuned": "D", "delta": "o", "feature": "^", "small": "P", "copy": "v"}
_DASHES = {"teacher": (0, (4, 2)), "finetuned": (0, (1, 1.4))}

_RC = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 9.5,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": RULE,
    "lines.linewidth": 1.9,
    "lines.markersize": 5,
    "errorbar.capsize": 2.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Look:
    """How a variant is drawn everywhere."""

    color: str
    marker: str
    linestyle: str | tuple

    @property
    def line(self) -> dict:
        """Keyword arguments of a plotted line."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.linestyle}

    @property
    def level(self) -> dict:
        """Keyword arguments of a line that stays level, a per-frame network over T: no markers."""
        return {"color": self.color, "linestyle": self.linestyle}


def look(variant: str) -> Look:
    """Return the look of a variant; one that the paper does not know gets a further colour by its name."""
    spare = _MORE_COLOURS[sum(variant.encode()) % len(_MORE_COLOURS)]
    return Look(_COLOURS.get(variant, spare), _MARKERS.get(variant, "P"), _DASHES.get(variant, "-"))


def colour_variables() -> dict[str, str]:
    """Hex colour of a figure → CSS variable of the page, without the leading dashes."""
    named = {colour: f"v-{name}" for name, colour in _COLOURS.items()}
    return named | {colour: f"v-more-{i}" for i, colour in enumerate(_MORE_COLOURS)} | {RULE: "rule"}


def figure(height_inches: float = 3.3, *, rows: int = 1, **options: object) -> tuple[Figure, list[Axes]]:
    """Make a figure with ``rows`` axes, one above the other."""
    with mpl.rc_context(_RC):
        drawn = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
        axes = drawn.subplots(rows, 1, squeeze=False, **options)[:, 0]
    return drawn, list(axes)


def caption(axes: Axes, text: str) -> None:
    """Name the vertical quantity above the axis, where it reads without turning the head."""
    axes.set_title(text, loc="left", color=INK, fontsize=10)


def legend(drawn: Figure, axes: Axes, *, columns: int = 5) -> None:
    """Put the legend of ``axes`` below the figure."""
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    drawn.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
        columnspacing=1.1,
        handlelength=1.7,
        handletextpad=0.5,
    )


def length_axis(axes: Axes, lengths: Iterable[int]) -> None:
    """Mark the measured sequence lengths only."""
    axes.set_xticks(list(lengths))
    axes.set_xlabel("sequence length T (frames per key frame)")


def to_png(drawn: Figure, path: Path) -> None:
    """Write a light PNG, 990 pixels wide."""
    with mpl.rc_context(_RC):
        drawn.savefig(path, format="png", dpi=220, facecolor="white", metadata={"Software": None})


def to_svg(drawn: Figure, *, name: str, alt: str) -> str:
    """Return the figure as an <svg> element for the page; ``name`` keeps its ids apart from other figures."""
    buffer = io.StringIO()
    with mpl.rc_context(_RC | {"svg.hashsalt": name}):
        drawn.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    view = re.search(r'viewBox="[^"]+"', text)[0]
    body = re.sub(r"<metadata>.*?</metadata>", "", text[text.index(">") + 1 :], flags=re.DOTALL)
    body = re.sub(r'<g id="[\w.]+"', "<g", body)
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # would hold for the whole page
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)  # the page's font
    body = body.replace(INK, "currentColor")
    for colour, variable in colour_variables().items():
        body = body.replace(colour, f"var(--{variable})")
    body = re.sub(r"\s*\n\s*", "\n", body)
    return f'<svg {view} role="img" aria-label="{_escaped(alt)}">{body.strip()}'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
