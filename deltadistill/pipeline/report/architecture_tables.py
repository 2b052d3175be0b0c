"""The page's tables of what the search found, as text cells."""

from collections.abc import Mapping
from statistics import mean

from deltadistill.pipeline.report.tables import Table, number
from deltadistill.pipeline.results.agreement import agreements
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.training_files import Architecture, ArchitectureLayer


def architecture_tables(results: Results) -> list[Table]:
    """One table a variant with students: every layer, over all seeds."""
    found = {
        results.label(name): {seed: run.architecture for seed, run in by_seed.items()}
        for name, by_seed in results.distilled.items()
    }
    return [_table(name, by_seed) for name, by_seed in found.items() if all(by_seed.values())]


def _table(variant: str, by_seed: Mapping[int, Architecture]) -> Table:
    per_layer = list(zip(*(found.layers for found in by_seed.values()), strict=True))
    counts = [sum(map(_is_compressed, found.layers)) for found in by_seed.values()]
    several = len(by_seed) > 1
    seeds = f"seed{'s' * several} {', '.join(map(str, by_seed))}"
    caption = f"{variant}, {seeds}: {_listed(counts)} of {len(per_layer)} converted layers are compressed."
    mean_of = "mean " if several else ""
    columns = (
        "layer",
        "part",
        "compressed in" if several else "chosen candidate",
        f"{mean_of}probability of compressed",
        "teacher MMACs",
        f"{mean_of}chosen MMACs",
    )
    return Table(caption, columns, tuple(_row(layers) for layers in per_layer))


def _row(layers: tuple[ArchitectureLayer, ...]) -> tuple[str, ...]:
    """One layer, as each seed found it."""
    first, count = layers[0], sum(map(_is_compressed, layers))
    probabilities = [layer.gate_probability for layer in layers if layer.gate_probability is not None]
    return (
        first.name,
        first.part,
        first.candidate if len(layers) == 1 else f"{count} of {len(layers)} seeds",
        number(mean(probabilities) if probabilities else None, 3),
        number(first.teacher_macs / 1e6, 2),
        number(mean(layer.macs for layer in layers) / 1e6, 2),
    )


def agreement_table(results: Results) -> Table | None:
    """Agreement of each two seeds of every searched variant; None where each has one seed."""
    rows = [
        (
            f"{results.label(found.variant)}, seeds {found.seeds[0]} and {found.seeds[1]}",
            *_percents(found.share, found.by_chance),
        )
        for found in agreements(results)
    ]
    caption = (
        "Do the seeds find the same architecture? Share of converted layers that both seeds compress or both "
        "leave alone, and the share that independent choices with as many compressed layers would give."
    )
    return Table(caption, ("variant", "agree, %", "by chance, %"), tuple(rows)) if rows else None


def _percents(*shares: float) -> tuple[str, ...]:
    return tuple(number(100 * share, 0) for share in shares)


def _listed(counts: list[int]) -> str:
    return " and ".join(filter(None, (", ".join(map(str, counts[:-1])), str(counts[-1]))))


def _is_compressed(layer: ArchitectureLayer) -> bool:
    return layer.candidate == "compressed"
