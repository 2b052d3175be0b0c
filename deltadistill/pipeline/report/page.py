"""The report page: one HTML file with everything embedded, nothing fetched."""

import io
import json
from pathlib import Path
from typing import Any

import cv2
from PIL import Image

from deltadistill.data.picture import decode_picture
from deltadistill.pipeline.report import architecture_tables, cost_tables, tables, time_tables, words
from deltadistill.pipeline.report.animation import animate, longest, panel_labels, panel_rows
from deltadistill.pipeline.report.drawings import drawings
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.report.paint import data_uri, palette, shrink
from deltadistill.pipeline.report.rendering import render_page
from deltadistill.pipeline.report.scenes import Scene
from deltadistill.pipeline.report.side_by_side import FILE_NAME, has_side_by_side
from deltadistill.pipeline.report.storyboard import storyboard
from deltadistill.pipeline.report.students_table import students_table
from deltadistill.pipeline.report.videos_table import videos_table
from deltadistill.pipeline.results.claims import judged, unmeasured
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.summary import Summary
from deltadistill.pipeline.results.variants import called


def render(results: Results, summary: Summary, scenes: tuple[Scene, ...], *, pictures: bool = True) -> str:
    """Return the page as HTML. ValueError where it would exceed 6 MB.

    pictures: whether the data set's contact sheet is on it.
    """
    return render_page("page.html.j2", _content(results, summary, scenes, pictures))


def _content(results: Results, summary: Summary, scenes: tuple[Scene, ...], pictures: bool) -> dict[str, Any]:
    table = palette([info.color for info in results.dataset.classes])
    return {
        "results": results,
        "summary": summary,
        "labels": summary.reference == "labels",
        "title": words.title(summary),
        "lead": words.lead(results, summary),
        "tiles": words.tiles(summary),
        "measure": "Accuracy" if summary.reference == "labels" else "Fidelity",
        "versions": results.provenances[-1].versions,
        "basis": tables.basis(summary),
        "timed": tables.timed(summary),
        "judged": judged(summary.claims),
        "unmeasured": unmeasured(summary.claims),
        "headline_tables": tables.headline_tables(summary),
        "per_class": tables.per_class_table(results, summary),
        "per_clip": tables.per_clip_table(results, summary),
        "motion": tables.motion_table(results, summary),
        "consistency": tables.consistency_table(results, summary),
        "videos": videos_table(summary),
        "macs": cost_tables.mac_totals_table(results),
        "memory": cost_tables.memory_table(summary),
        "uncounted": cost_tables.uncounted_table(results),
        "unconverted": cost_tables.unconverted_table(results),
        "architectures": architecture_tables.architecture_tables(results),
        "agreement": architecture_tables.agreement_table(results),
        "students": students_table(results, summary),
        "times": time_tables.overview_table(results),
        "timed_conditions": time_tables.condition_tables(results),
        "not_timed": time_tables.left_out_notes(results),
        "dataset_table": cost_tables.dataset_table(results.dataset, results.measure),
        "video_notes": cost_tables.video_notes(results.dataset),
        "minutes_table": cost_tables.minutes_table(summary.minutes),
        "provenance_table": cost_tables.provenance_table(results.provenances),
        "stage_params": _stage_params(results),
        "looks": {results.label(name): look for name, look in looks(results.variants).items()},
        "ours": called(results.variants, "ours"),
        "copy": called(results.variants, "copy"),
        "figures": drawings(results, summary),
        "storyboards": [storyboard(scene, table) for scene in scenes],
        "animation": _animation(scenes, table),
        "side_by_side": f"animations/{FILE_NAME}" if has_side_by_side(results, scenes) else None,
        "contact_sheet": _contact_sheet(results.contact_sheet) if pictures else None,
    }


def _stage_params(results: Results) -> dict[str, str]:
    """Parameters of each stage, once, as indented text; variants of a stage share theirs."""
    texts: dict[str, str] = {}
    for run in results.provenances:
        texts.setdefault(run.stage, json.dumps(run.params, indent=2, ensure_ascii=False, default=str))
    return texts


def _animation(scenes: tuple[Scene, ...], table: Any) -> dict[str, Any] | None:
    if not scenes:
        return None
    scene = longest(scenes)
    film = animate(scene, table)
    return {
        "moving": data_uri(film.moving),
        "still": data_uri(film.still),
        "width": film.size[0],
        "height": film.size[1],
        "period": scene.period,
        "rows": panel_rows(scene),
        "panels": panel_labels(scene),
    }


def _contact_sheet(path: Path, *, width: int = 1200) -> dict[str, Any]:
    """Return the contact sheet scaled to the page and compressed."""
    pixels = decode_picture(path, cv2.IMREAD_COLOR)[..., ::-1]
    picture = shrink(Image.fromarray(pixels), width, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=78, method=6)
    return {"uri": data_uri(buffer.getvalue()), "width": picture.width, "height": picture.height}
