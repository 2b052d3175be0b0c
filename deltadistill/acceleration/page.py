"""The page of an acceleration: one file with figure, choice, trials, worst moments, what to try next."""

from collections.abc import Sequence
from html import escape
from typing import Any

from deltadistill.acceleration.advice import advice
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.figure import COLOURS, figure
from deltadistill.acceleration.lower_end import PIECES, SURE
from deltadistill.acceleration.side_by_side import film, moment
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.trial_tables import trial_tables
from deltadistill.video.found import Showing

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#222}
svg,img,video{max-width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:#444;paint-order:stroke;stroke:#fff;stroke-width:3px}
h1,figcaption{overflow-wrap:anywhere} .wide{overflow-x:auto} .wide svg{min-width:34rem}
table{border-collapse:collapse;font-size:14px}
td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}
.warned{background:#fdecea;border-left:4px solid #c00;padding:.5rem .8rem}
tr.taken{background:#fff3cd} summary{cursor:pointer;margin:.6rem 0}
code{background:#f3f3f3;padding:.1rem .3rem;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:.5rem} figure{margin:0 0 1rem}
.key span{margin-right:1rem} figcaption{font-size:14px;color:#555}
"""


_PARTS = {"key": "a key frame", "delta": "a delta frame", "filled": "a copied or moved answer"}
_PARTS_ONLINE = {"key": "a labelled frame, learned from", "delta": "a frame of the student"}


def page(case: Case, outcome: Any, *, command: str = "", showing: Showing | None = None) -> str:
    """HTML without anything from outside. outcome: of accelerate.py; command: the line to run it."""
    kept = "share of the per-frame score kept" if case.truth else outcome.measure
    frame_ms = _frame_ms(outcome.trials)
    drawing = figure(outcome.trials, outcome.choice, frame_ms=frame_ms, asked=case.asked, what=kept)
    showing = showing or Showing(threshold=case.threshold)
    body = [
        f"<h1>{escape(case.name)}</h1>",
        *(f'<p class="warned">{escape(warned)}</p>' for warned in warned_of(outcome)),
        *(f"<p>{escape(sentence)}</p>" for sentence in sentences(case, outcome)),
        f"<p>To run it:<br><code>{escape(command)}</code></p>" if command else "",
        "<h2>Time and fidelity</h2>",
        f'<div class="wide">{drawing}</div>',
        _colours(),
        f"<p>On the choosing part of the video ({escape(outcome.measure)}); each line is one way, its points "
        "are periods, and nothing lies above the dark line and left of it. The bar below the choice reaches "
        "down to its lower end, which has to keep what is asked for. Times are from the network's frame to "
        "its decoded answer, in turns with the best per-frame run.</p>",
        "<h2>What was tried</h2>",
        "<p>Nothing that is faster keeps as much as one of these; the choice is marked.</p>",
        trial_tables(outcome.trials, outcome.choice.taken, frame_ms=frame_ms),
        "<h2>Where the milliseconds go</h2>",
        _milliseconds(outcome),
        "<h2>Side by side</h2>",
        "<p>The testing part: the per-frame network left, the runner right.</p>",
        film(case, outcome.tested.shown, showing),
        "<h2>Worst moments</h2>",
        *(moment(case, each, showing) for each in outcome.tested.worst),
        "<h2>What to try next</h2>",
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in advice(case, outcome)) + "</ul>",
        *_notes(outcome.notes),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    icon = '<link rel="icon" href="data:,">'
    title = f"<title>{escape(case.name)}: acceleration</title>"
    content = "\n".join(part for part in body if part)
    return (
        f'<!doctype html><html lang="en"><head>{head}{icon}{title}<style>{_STYLE}</style></head>'
        f"<body>\n{content}\n</body></html>\n"
    )


def warned_of(outcome: Any) -> list[str]:
    """What makes the figures doubtful, in sentences."""
    return [f"Warning: {warned}." for warned in outcome.warnings]


def sentences(case: Case, outcome: Any) -> list[str]:
    """What came out, in words."""
    taken, seen = outcome.choice.taken, outcome.tested
    said = []
    if outcome.choice.is_faster:
        said.append(
            f"The runner is ×{outcome.speedup:.2f} as fast as the best per-frame run at full precision"
            f"{_against_fastest(outcome)}: {taken.trial.name}, {_key_frames(outcome)}, "
            f"{taken.trial.engine} {taken.trial.precision}; it was "
            f"×{taken.speedup:.2f} when it was tried."
        )
    else:
        said.append(
            f"Nothing is faster and keeps {case.asked:g}: every frame is computed in "
            f"full, in the fastest way, {taken.trial.engine} {taken.trial.precision}."
        )
    said += _bound(case, outcome)
    said.append(
        f"On {seen.frames} frames of the testing part, {outcome.measure} against the per-frame network is "
        f"{seen.fidelity:.4f}"
        + (
            f"; against the truth it scores {seen.score:.4f}, the per-frame network {seen.plain_score:.4f}."
            if seen.score is not None
            else "."
        )
    )
    if seen.kept < case.asked:
        said.append(
            f"That is {seen.kept:.4f} kept (at least {seen.lower:.4f}), below the {case.asked:g} asked for, "
            "which the choosing part kept."
        )
    if outcome.was_interrupted:
        said.append("It was interrupted; the same call goes on from here.")
    return said


def _bound(case: Case, outcome: Any) -> list[str]:
    """What the choosing part kept, at its lower end, and what that end cost."""
    taken, unsure, said = outcome.choice.taken, outcome.choice.unsure, []
    if outcome.choice.is_faster:
        said.append(
            f"On the choosing part it keeps {taken.kept:.4f}, and at least {taken.lower:.4f}: the lower end "
            f"of {SURE:.0%}, by how much changes without each of {PIECES} pieces of that part."
        )
    if unsure is not None:
        said.append(
            f"Refused, as it keeps {case.asked:g} on the whole and not at the lower end: "
            f"×{unsure.speedup:.2f}, {unsure.trial.name}, period {unsure.period}, which keeps "
            f"{unsure.kept:.4f}, at least {unsure.lower:.4f}. A longer video, or several, narrows that."
        )
    return said


def _key_frames(outcome: Any) -> str:
    taken = outcome.choice.taken
    if taken.trial.passing is not None:
        return (
            f"a student learns from it while it runs, on {taken.key_share:.0%} of the frames "
            f"({outcome.tested.key_share:.0%} on the testing part)"
        )
    if taken.threshold is None:
        return f"a key frame every {taken.period} frames"
    return (
        f"a key frame where the picture has changed by {taken.threshold:g} grey levels, "
        f"{taken.key_share:.0%} of the frames ({outcome.tested.key_share:.0%} on the testing part)"
    )


def _against_fastest(outcome: Any) -> str:
    """Where a lower precision is the fastest per-frame run, what is gained over that."""
    plain = outcome.choice.plain
    if plain.trial.precision == "fp32":
        return ""
    gain = outcome.speedup / plain.speedup
    return f", ×{gain:.2f} as fast as the fastest that keeps {plain.kept:.3f}, in {plain.trial.precision}"


def _frame_ms(trials: Sequence[Trial]) -> float:
    plain = [t for t in trials if t.kind == "per frame" and t.precision == "fp32" and not t.ended]
    return min(trial.parts_ms["frame"] for trial in plain)


def _colours() -> str:
    items = "".join(
        f'<span><b style="color:{colour}">●</b> {kind}</span>' for kind, colour in COLOURS.items()
    )
    return f'<p class="key">{items}<span><b style="color:#c00">◯</b> the choice</span></p>'


def _milliseconds(outcome: Any) -> str:
    trial, period = outcome.choice.taken.trial, outcome.choice.taken.period
    rows = [("a frame in full", trial.parts_ms.get("frame", 0.0), 0.0 if outcome.choice.is_faster else 1.0)]
    if outcome.choice.is_faster:
        keys, between = outcome.choice.taken.key_share, trial.between
        computed = keys if between.computes_keys_alone else between.computed(period) / period
        shares = {"key": keys, "delta": computed - keys, "filled": 1 - computed}
        names = _PARTS if trial.passing is None else _PARTS_ONLINE
        rows += [(names[part], trial.parts_ms.get(part, 0.0), n) for part, n in shares.items() if n]
    cells = "".join(
        f"<tr><td>{name}</td><td>{value:.2f} ms</td><td>{share:.0%}</td><td>{value * share:.2f} ms</td></tr>"
        for name, value, share in rows
    )
    head = "<th></th><th>takes</th><th>of the frames</th><th>a frame on average</th>"
    return f'<div class="wide"><table><tr>{head}</tr>{cells}</table></div>'


def _notes(notes: Sequence[str]) -> list[str]:
    return (
        ["<h2>Noticed</h2>", "<ul>", *(f"<li>{escape(note)}</li>" for note in notes), "</ul>"]
        if notes
        else []
    )
