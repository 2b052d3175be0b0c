"""One form for all figures, with sizes that stay readable on a phone.

Figures are 324 units wide, so on a phone one unit is about one pixel. On the page they are inline SVG whose
colours become CSS variables and follow the reader's light or dark scheme; as PNG files they are light.
"""

import io
import re
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from deltadistill.pipeline.report.figures.looks import css_colours

WIDTH_INCHES = 4.5  # 324 SVG units
LEGEND_ROW_INCHES = 0.2
_HANDLE_UNITS, _LETTER_UNITS, _SPACE_UNITS = (
    30,
    5.4,
    10,
)  # of a legend entry; the space follows all but the last
_CAPTION = "caption"
_VISIBLE = 0.5  # pixels
INK, RULE = "#1b1f24", "#d5dae0"

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


def figure(height_inches: float = 3.3, *, rows: int = 1, **options: object) -> tuple[Figure, list[Axes]]:
    """Make a figure with ``rows`` axes, one above the other."""
    with mpl.rc_context(_RC):
        drawn = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
        axes = drawn.subplots(rows, 1, squeeze=False, **options)[:, 0]
    return drawn, list(axes)


def line(
    axes: Axes,
    across: Iterable[float],
    values: Iterable[float],
    deviations: Iterable[float | None],
    **look: object,
) -> None:
    """Plot values over what lies across, with error bars where any deviation is known."""
    bars = [deviation or 0 for deviation in deviations]
    axes.errorbar(across, values, yerr=bars if any(bars) else None, **look)


def caption(axes: Axes, text: str) -> None:
    """Name the vertical quantity above the axis, where it reads without turning the head."""
    axes.set_title(text, loc="left", color=INK, fontsize=10).set_gid(_CAPTION)


def legend(drawn: Figure, axes: Axes, *, columns: int = 5) -> None:
    """Put the legend of ``axes`` below the figure."""
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    columns = _columns_that_fit(labels, columns)
    rows = -(-len(labels) // columns)
    drawn.set_figheight(drawn.get_figheight() + LEGEND_ROW_INCHES * max(0, rows - 2))
    drawn.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
        columnspacing=1.1,
        handlelength=1.7,
        handletextpad=0.5,
    )


def _columns_that_fit(labels: list[str], most: int) -> int:
    """As many columns as lie side by side in a figure, filled from above as matplotlib does."""
    for columns in range(min(most, len(labels)), 1, -1):
        longest = [
            max(map(len, column)) for column in np.array_split(np.array(labels, dtype=object), columns)
        ]
        if (
            sum(_HANDLE_UNITS + _LETTER_UNITS * letters for letters in longest)
            <= 72 * WIDTH_INCHES + _SPACE_UNITS
        ):
            return columns
    return 1


def length_axis(axes: Axes, lengths: Iterable[int]) -> None:
    """Mark the measured sequence lengths only."""
    axes.set_xticks(list(lengths))
    axes.set_xlabel("sequence length T (frames per key frame)")


def to_png(drawn: Figure, path: Path) -> None:
    """Write a light PNG, 990 pixels wide."""
    # not into the file: Pillow, writing to a full disk, does not say so
    options = {"dpi": 220, "facecolor": "white", "metadata": {"Software": None}}
    path.write_bytes(_saved(drawn, format="png", rc=_RC, **options))


def to_svg(drawn: Figure, *, name: str, alt: str) -> str:
    """Return the figure as an <svg> element for the page; ``name`` keeps its ids apart from other figures."""
    options = {"transparent": True, "metadata": {"Date": None, "Creator": None}}
    text = _saved(drawn, format="svg", rc=_RC | {"svg.hashsalt": name}, **options).decode()
    text = text[text.index("<svg") :]
    view = re.search(r'viewBox="[^"]+"', text)[0]
    body = re.sub(r"<metadata>.*?</metadata>", "", text[text.index(">") + 1 :], flags=re.DOTALL)
    body = re.sub(r'<g id="[\w.]+"', "<g", body)
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # would hold for the whole page
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)  # the page's font
    body = body.replace(INK, "currentColor")
    for colour, expression in (css_colours() | {RULE: "var(--rule)"}).items():
        body = body.replace(colour, expression)
    body = re.sub(r"\s*\n\s*", "\n", body)
    return f'<svg {view} role="img" aria-label="{_escaped(alt)}">{body.strip()}'


def _saved(drawn: Figure, *, rc: dict[str, object], **options: object) -> bytes:
    """A figure as a file's content; once more where a caption turns out to end beyond it."""
    with mpl.rc_context(rc):
        for _ in range(2):
            buffer = io.BytesIO()
            drawn.savefig(buffer, **options)
            if not _pull_in_captions(drawn):
                break
    return buffer.getvalue()


def _pull_in_captions(drawn: Figure) -> bool:
    """Begin captions that end beyond the figure further left, as far as there is room; whether any did."""
    pulled, renderer = False, FigureCanvasAgg(drawn).get_renderer()  # the last one had a file's resolution
    for text in drawn.findobj(lambda part: part.get_gid() == _CAPTION):
        extent = text.get_window_extent(renderer)
        beyond = min(extent.x1 - drawn.bbox.x1, extent.x0)
        if beyond > _VISIBLE:
            place = blended_transform_factory(drawn.transFigure, text.axes.transAxes)
            text.set_transform(place + text.axes.titleOffsetTrans)
            text.set_x((extent.x0 - beyond) / drawn.bbox.width)
            pulled = True
    return pulled


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
