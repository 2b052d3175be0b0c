"""How each variant of a report is drawn: no two look the same, those of one family share a hue."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from matplotlib.colors import to_hex, to_rgb

from deltadistill.pipeline.results.variants import NOUNS, Variant, Variants, leading

# Okabe and Ito's palette: distinguishable with every common colour-vision deficiency. By the nouns of roles.
_COLOURS = {
    "teacher": "#4d5560",
    "finetuned": "#cc79a7",
    "delta": "#0072b2",
    "feature": "#d55e00",
    "small": "#7b4fa3",
    "copy": "#009e73",
}
_MORE_COLOURS = {"more-0": "#e69f00", "more-1": "#7a8b00", "more-2": "#8f1d4f", "more-3": "#56b4e9"}
_BASES = _COLOURS | _MORE_COLOURS
_MARKERS = {"teacher": "s", "finetuned": "D", "delta": "o", "feature": "^", "small": "P", "copy": "v"}
_MARKERS |= {"more-0": "X", "more-1": "<", "more-2": ">", "more-3": "h"}
_MORE_MARKERS = tuple(_MARKERS.values())
_DASHES = {"teacher": (0, (4, 2)), "finetuned": (0, (1, 1.4))}
_MORE_DASHES = ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
# Members of one hue: share of the hue, and what it is mixed with (a colour, its CSS variable on the page).
_SHADES = (
    (1.0, "#ffffff", "card"),
    (0.6, "#ffffff", "card"),
    (0.6, "#1b1f24", "ink"),
    (0.4, "#ffffff", "card"),
)


@dataclass(frozen=True)
class Look:
    """How a variant is drawn everywhere in one report."""

    color: str
    marker: str
    linestyle: str | tuple

    @property
    def line(self) -> dict:
        """Keyword arguments of a plotted line."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.linestyle}

    @property
    def level(self) -> dict:
        """Keyword arguments of a line that stays level, a per-frame network over T: no markers."""
        return {"color": self.color, "linestyle": self.linestyle}

    @property
    def css(self) -> str:
        """The colour as an expression of the page's CSS variables; one of a variant's own as it is."""
        return css_colours().get(self.color, self.color)


NEUTRAL = _COLOURS["teacher"]


def looks(variants: Variants, also: Iterable[str] = ()) -> dict[str, Look]:
    """Give the variants of one report their looks, in its order; also: trainings that no variant is of.

    The one that leads in a role has the role's hue, and with it those of its role and family: ``delta_070``
    is of the family ``delta``. Every other family takes the next spare hue.
    """
    roles = {leading(variants, role): noun for role, noun in NOUNS.items() if noun in _COLOURS}
    hues = {_family(name, variants[name]): hue for name, hue in roles.items() if name is not None}
    spare = list(_MORE_COLOURS)
    others: dict[str, str] = {}
    members: Counter[str] = Counter()
    found = {}
    for name in dict.fromkeys([*variants, *also]):
        variant = variants.get(name, Variant("", "rival", name))
        family = _family(name, variant)
        if family not in hues:
            hue = others.setdefault(family[0], spare[len(others) % len(spare)])
        else:
            hue = hues[family]
        found[name] = _member(hue, members[hue])
        members[hue] += 1
        if variant.colour:
            found[name] = replace(found[name], color=variant.colour)
    return found


def _family(name: str, variant: Variant) -> tuple[str, str]:
    return name.split("_")[0], variant.role


def css_colours() -> dict[str, str]:
    """Every colour of a look → its CSS expression, which follows the reader's light or dark scheme."""
    return {
        _shade(colour, index): f"var(--v-{hue})" if index == 0 else _mix(hue, index)
        for hue, colour in _BASES.items()
        for index in range(len(_SHADES))
    }


def _member(hue: str, index: int) -> Look:
    """The first of a hue has its plain look; marker and dash run on when the shades repeat."""
    colour = _shade(_BASES[hue], index)
    first = _MORE_MARKERS.index(_MARKERS[hue])
    marker = _MORE_MARKERS[(first + index) % len(_MORE_MARKERS)]
    dash = _DASHES.get(hue, "-") if index == 0 else _MORE_DASHES[index % len(_MORE_DASHES)]
    return Look(colour, marker, dash)


def _shade(colour: str, index: int) -> str:
    share, other, _ = _SHADES[index % len(_SHADES)]
    mixed = [share * a + (1 - share) * b for a, b in zip(to_rgb(colour), to_rgb(other), strict=True)]
    return to_hex(mixed)


def _mix(hue: str, index: int) -> str:
    share, _, other = _SHADES[index]
    return f"color-mix(in srgb, var(--v-{hue}) {100 * share:.0f}%, var(--{other}))"
