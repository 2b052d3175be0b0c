"""Puts the headline tables of the committed results into the documents that show them: make headlines.

A table stands in a block of text whose first line begins with the experiment's name and a colon.
"""

import re
import sys
from pathlib import Path

from deltadistill.pipeline.report.headline import headline
from deltadistill.pipeline.results.summary import read_summary

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "docs/results.md")
BLOCK = re.compile(r"```text\n((\w+): .*?)\n```", flags=re.S)


def refreshed(document: str) -> str:
    """The document with every table as the results have it now."""
    return BLOCK.sub(lambda found: f"```text\n{table(found[2])}\n```", document)


def table(experiment: str) -> str:
    """The headline table of a committed experiment."""
    return headline(read_summary(ROOT / "results" / experiment / "summary.json"))


def main() -> int:
    """Write the documents anew and say which changed."""
    for name in DOCUMENTS:
        path = ROOT / name
        before = path.read_text()
        after = refreshed(before)
        path.write_text(after)
        print(f"{name}: {'as it was' if after == before else 'tables written anew'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
