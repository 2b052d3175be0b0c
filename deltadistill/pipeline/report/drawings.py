"""All figures of the page with their captions and their text for readers who do not see them."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from deltadistill.pipeline.report import tables
from deltadistill.pipeline.report.figures import (
    accuracy_against_cost,
    accuracy_against_distance,
    accuracy_over_costs,
    against_length,
    compressed_share,
    distillation_error,
    latency,
    over_time,
    style,
    training_curves,
)
from deltadistill.pipeline.report.figures.cost_axis import MACS, MEMORY, TIME, CostAxis, compares_memory
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.summary import Summary
from deltadistill.pipeline.results.variants import called


@dataclass(frozen=True)
class Drawing:
    """A figure with its name, its text for readers who do not see it, and the caption below it."""

    name: str
    figure: Figure
    alt: str
    caption: str

    @property
    def svg(self) -> str:
        """The figure as markup for the page."""
        return style.to_svg(self.figure, name=self.name, alt=self.alt)


def drawings(results: Results, summary: Summary) -> dict[str, Drawing]:
    """All figures by name; those without data (no student was searched) are left out."""
    return {
        drawing.name: drawing
        for drawing in [
            *_cost_drawings(summary),
            *([] if summary.is_of_single_frames else _length_drawings(results, summary)),
            *_work_drawings(results, summary),
            *_memory_drawings(summary),
            *_drawings_over_costs(results, summary),
            *_video_drawings(results),
            *_student_drawings(results),
        ]
    }


def _cost_drawings(summary: Summary) -> list[Drawing]:
    accuracy, basis = summary.measure.in_full(summary.reference), tables.basis(summary)
    return [
        Drawing(
            "accuracy_against_macs",
            accuracy_against_cost.draw(summary, MACS),
            f"{accuracy} against amortised GMACs per frame for {_names(summary)}.",
            f"{accuracy} against MACs per frame; each point is a sequence length, up and left is better. "
            f"{_front(summary, MACS)}{basis}",
        ),
        Drawing(
            "accuracy_against_time",
            accuracy_against_cost.draw(summary, TIME),
            f"{accuracy} against measured milliseconds per frame, amortised, for {_names(summary)}.",
            f"{accuracy} against measured time per frame, up and left is better: {tables.timed(summary)}"
            f"{_front(summary, TIME, before=' ')}",
        ),
    ]


def _length_drawings(results: Results, summary: Summary) -> list[Drawing]:
    """What sequences of several lengths, or frames behind a key frame, show."""
    accuracy, basis = summary.measure.in_full(summary.reference), tables.basis(summary)
    longest = accuracy_against_distance.longest(results)
    return [
        Drawing(
            "accuracy_against_length",
            against_length.draw_accuracy(summary),
            f"Lines of {accuracy} against sequence length for {_names(summary)}.",
            f"{accuracy} against sequence length T, averaged over all positions in the sequence. {basis}",
        ),
        Drawing(
            "accuracy_against_distance",
            accuracy_against_distance.draw(results),
            f"{accuracy} for each distance to the key frame at T = {longest} for {_names(summary)}.",
            f"{accuracy} for each distance to the key frame in sequences of T = {longest}. {basis}",
        ),
        Drawing(
            "consistency_against_length",
            against_length.draw_consistency(summary),
            f"Consistency and, below it, {accuracy} against sequence length for {_names(summary)}.",
            "A frozen prediction is perfectly consistent and wrong, so consistency is always read beside "
            f"accuracy. {basis}",
        ),
    ]


def _work_drawings(results: Results, summary: Summary) -> list[Drawing]:
    return [
        Drawing(
            "training_curves",
            training_curves.draw(results),
            "Tune accuracy of the teacher and each distilled variant, and compressed layers, over the steps.",
            f"Tune split during training; one line a seed ({', '.join(map(str, results.seeds))}).",
        ),
        Drawing(
            "latency",
            latency.draw(results),
            "Bars of the time of a frame in each engine; speed-up against sequence length with the bound "
            "that MACs allow.",
            f"Measured time: {tables.timed(summary)} MACs say what could be gained; the gap to the dashed "
            "line is what memory traffic and overhead take.",
        ),
    ]


def _video_drawings(results: Results) -> list[Drawing]:
    found = over_time.courses(results)
    if not found:
        return []
    return [
        Drawing(
            "over_time",
            over_time.draw(results),
            f"Lines of the score and of the updates over the seconds of {', '.join(found)}.",
            "Whole test videos in windows of time: the score of a window's frames together, and below it how "
            "many steps those variants took that learn while they answer; where those lines rise, learning "
            f"was needed. Seed {results.seeds[0]}.",
        )
    ]


def _memory_drawings(summary: Summary) -> list[Drawing]:
    if not compares_memory(summary):
        return []
    accuracy = summary.measure.in_full(summary.reference)
    of = (
        "a frame"
        if summary.is_of_single_frames
        else ("a stream, of its key frames and later ones with the maps that are kept")
    )
    return [
        Drawing(
            "accuracy_against_memory",
            accuracy_against_cost.draw(summary, MEMORY),
            f"{accuracy} against theoretical peak memory for {_names(summary, MEMORY)}.",
            f"{accuracy} against the theoretical peak of {of}, weights apart; each point is a sequence "
            "length, up and left is better. "
            f"{_front(summary, MEMORY)}{tables.basis(summary)}",
        )
    ]


def _drawings_over_costs(results: Results, summary: Summary) -> list[Drawing]:
    if not accuracy_over_costs.covers_costs(results, summary):
        return []
    drawn = [
        Drawing(
            "accuracy_over_costs",
            accuracy_over_costs.draw(results, summary, MACS),
            f"Accuracy against GMACs per frame at T = 3 for {_names(summary)}.",
            "Delta against feature distillation over costs, at T = 3: a line joins the networks that a "
            "search found for one method; networks with every block compressed and rivals without "
            f"students stand alone. Up and left is better. {tables.basis(summary)}",
        )
    ]
    if accuracy_over_costs.covers_times(results, summary):
        drawn.append(
            Drawing(
                "accuracy_over_times",
                accuracy_over_costs.draw(results, summary, TIME),
                f"Accuracy against measured milliseconds per frame at T = 3 for {_names(summary)}.",
                f"The same over measured time: {tables.timed(summary)}",
            )
        )
    return drawn


def _student_drawings(results: Results) -> list[Drawing]:
    drawn = []
    ours, feature = (called(results.variants, role) for role in ("ours", "feature"))
    listed = ", ".join(map(str, results.seeds))
    several = len(results.seeds) > 1
    seeds = f"Mean over seeds {listed}." if several else f"One seed ({listed})."
    bars = "Error bars: lowest and highest seed. " if several else ""
    if compressed_share.found(results):
        drawn.append(
            Drawing(
                "compressed_share",
                compressed_share.draw(results),
                "Bars of the share of compressed layers for each part of the network.",
                f"Share of converted layers whose compressed candidate won, per part of the network. {seeds} "
                f"{bars}Variants with every layer compressed are left out.",
            )
        )
    if distillation_error.distilled_layers(results):
        drawn.append(
            Drawing(
                "distillation_error",
                distillation_error.draw(results),
                "Relative distillation error of every layer before and after training, logarithmic.",
                "Relative error ‖target − student‖² / ‖target‖² of each layer on pairs of the tune split. "
                f"The target is the change of the layer's output for {ours}, the output itself for {feature}."
                f" {seeds}",
            )
        )
    return drawn


def _front(summary: Summary, cost: CostAxis, *, before: str = "") -> str:
    """Which points lie on the Pareto front, in words; nothing where there are no rivals."""
    if not accuracy_against_cost.has_rivals(summary):
        return ""
    lengths: dict[str, list[str]] = {}
    for name, length in accuracy_against_cost.on_front(summary, cost):
        lengths.setdefault(name, []).append(str(length))
    names = "; ".join(f"{summary.label(name)} (T = {', '.join(of)})" for name, of in lengths.items())
    return f"{before}On the Pareto front, the cheapest first: {names or 'nothing'}. "


def _names(summary: Summary, cost: CostAxis | None = None) -> str:
    """The variants, or those of them that have a point over this cost."""
    known = [
        name
        for name, points in summary.variants.items()
        if cost is None or any(cost.of(point) is not None for point in points.values())
    ]
    return ", ".join(map(summary.label, known))
