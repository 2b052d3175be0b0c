"""The page's table of whole videos: variants at schedules of key frames."""

from deltadistill.pipeline.report.tables import DASH, Table, spread
from deltadistill.pipeline.results.summary import Summary
from deltadistill.pipeline.results.video_points import VideoPoint


def videos_table(summary: Summary) -> Table | None:
    """Accuracy and cost as measured on the way; None where no variant was run over whole videos."""
    rows = [
        (summary.label(name), schedule, *_cells(point))
        for name, points in summary.videos.items()
        for schedule, point in points.items()
    ]
    scores = (f"{summary.accuracy}, %", "worst frame, %")
    columns = ("variant", "key frames", "share %", *scores, "GMACs", "ratio", "ms")
    caption = (
        "Whole test videos, each one stream without a reset: which frames are key frames says the schedule "
        "(evaluate_videos.schedules); MACs and milliseconds are the mean over all frames, as they were "
        f"answered one by one in eager PyTorch. Over seeds {', '.join(map(str, summary.seeds))}."
    )
    return Table(caption, columns, tuple(rows)) if rows else None


def _cells(point: VideoPoint) -> tuple[str, ...]:
    return (
        _written(point.key_frames and 100 * point.key_frames, 1),
        DASH if point.score is None else spread(point.score, point.score_std, 1),
        _written(point.worst, 1),
        _written(point.gmacs, 4),
        _written(point.macs_ratio, 2),
        _written(point.milliseconds, 2),
    )


def _written(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:.{digits}f}"
