"""What a summary says of measured time: of every variant in its fastest engine, and on what."""

from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.latency_file import Latency, Part


@dataclass(frozen=True)
class TimedOn:
    """What the times of all points were measured on; ``baseline`` is the teacher's fastest engine."""

    processor: str
    threads: int
    batch: int
    precision: str
    baseline: str

    @property
    def words(self) -> str:
        """The machine and how much of it was used."""
        threads = "one thread" if self.threads == 1 else f"{self.threads} threads"
        streams = "" if self.batch == 1 else f", {self.batch} streams at once"
        return f"{threads} of one machine ({self.processor}), {self.precision}{streams}"


def timed_on(latency: Latency) -> TimedOn:
    """What the times that a summary shows were measured on."""
    shown = latency.shown
    return TimedOn(
        processor=str(latency.machine.get("processor", "unknown")),
        threads=shown.threads,
        batch=shown.batch,
        precision=shown.precision,
        baseline=shown.baselines["network"],
    )


def times_at(latency: Latency, name: str, length: int) -> dict[str, float | str | None]:
    """The fields of a point that are about time, as far as a variant was timed at a length."""
    found: dict[str, float | str | None] = {}
    for part, prefix in _PREFIXES.items():
        if fastest := latency.shown.fastest(name, length, part):
            engine, times = fastest
            found[f"{prefix}ms"] = _round(times.ms_at(length))
            found[f"{prefix}speedup"] = _round(times.speedup_at(length))
            if part == "network":
                found["engine"] = engine
    return found


_PREFIXES: dict[Part, str] = {"network": "", "end_to_end": "end_to_end_"}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
