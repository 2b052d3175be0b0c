"""Templates to HTML: pages with everything embedded, of a bounded size."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2

MAX_BYTES = 6_000_000
_TIED = {"T = ": "T\u00a0=\u00a0", " %": "\u00a0%", "± ": "±\u00a0"}  # never broken at a line's end
_TEMPLATES = files("deltadistill.pipeline.report") / "templates"


def render_page(template: str, content: Mapping[str, Any]) -> str:
    """Fill a template of this package, the style sheet included. ValueError where it would exceed 6 MB."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(_TEMPLATES)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["aside"] = aside
    css = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    html = environment.get_template(template).render(content, css=css)
    for loose, tied in _TIED.items():
        html = html.replace(loose, tied)
    size = len(html.encode())
    if size > MAX_BYTES:
        raise ValueError(
            f"the report page has {size} bytes, {MAX_BYTES} allowed; keep fewer or smaller example clips"
        )
    return html


def aside(cell: str) -> tuple[str, str]:
    """Split a cell into its figure and what is set small beside it: a spread or a second figure."""
    for mark in (" ± ", " ("):
        if mark in cell:
            figure, more = cell.split(mark, 1)
            return figure, mark + more
    return cell, ""
