"""One small picture of the page, with its words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One picture, what it shows in words, and a line of text below it."""

    uri: str
    alt: str
    note: str = ""
