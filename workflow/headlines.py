"""Puts the headline tables of the committed results into the documents that show them: make headlines.

A table stands in a block of text whose first line begins with the experiment's name and a colon.
"""

import re
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from deltadistill.pipeline.report.headline import headline
from deltadistill.pipeline.results.summary import read_summary

ROOT = Path(__file__).resolve().parents[1]
# Which variants a document shows, without the claims; None: everything.
DOCUMENTS = {"README.md": ("teacher", "finetuned", "delta", "copy", "small"), "docs/results.md": None}
BLOCK = re.compile(r"```text\n((\w+): .*?)\n```", flags=re.S)


def refreshed(document: str, variants: Collection[str] | None = None) -> str:
    """The document with every table as the results have it now."""
    return BLOCK.sub(lambda found: f"```text\n{table(found[2], variants)}\n```", document)


def table(experiment: str, variants: Collection[str] | None = None) -> str:
    """The headline table of a committed experiment; with `variants`, of these and without the claims."""
    summary = read_summary(ROOT / "results" / experiment / "summary.json")
    if variants is not None:
        shown = {name: points for name, points in summary.variants.items() if name in variants}
        summary = replace(summary, variants=shown, claims=())
    return headline(summary)


def main() -> int:
    """Write the documents anew and say which changed."""
    for name, variants in DOCUMENTS.items():
        path = ROOT / name
        before = path.read_text()
        after = refreshed(before, variants)
        path.write_text(after)
        print(f"{name}: {'as it was' if after == before else 'tables written anew'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
