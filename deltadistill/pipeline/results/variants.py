"""The part that each variant plays in the report: its role, and the label and colour it is shown with."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass

from deltadistill.pipeline.params import Params
from deltadistill.pipeline.params.evaluation import Role

# What the holder of a role is called where there is none; on the page also the name of the role's colour.
NOUNS: Mapping[Role, str] = {
    "teacher": "teacher",  # the network that all others start from, on every frame
    "finetuned": "finetuned",  # the same, trained on for as long
    "ours": "delta",  # delta distillation, or whatever else the claims are to be made for
    "feature": "feature",  # feature distillation with equal students
    "imitation": "fgfi",  # students that imitate features near objects alone
    "copy": "copy",  # the key frame's prediction repeated
    "small": "small",  # an equally cheap network on every frame
    "rival": "rival",  # anything else
}
_OF_STREAMS: Mapping[str, Role] = {"delta": "ours", "feature": "feature", "fgfi": "imitation"}
_OF_NETWORKS: Mapping[str | None, Role] = {None: "teacher", "per_frame": "finetuned", "small": "small"}


@dataclass(frozen=True)
class Variant:
    """How a variant predicts (a name of PREDICTORS), and how the report takes and shows it.

    colour: as #rrggbb; None: that of its role.
    """

    predict: str
    role: Role
    label: str
    colour: str | None = None


Variants = Mapping[str, Variant]


def default_role(method: str | None, predict: str) -> Role:
    """The role of a network of a training method (None: the teacher as it is) that predicts so."""
    if predict == "copy":
        return "copy"
    if predict == "stream":
        return _OF_STREAMS.get(method, "rival")
    return _OF_NETWORKS.get(method, "rival") if predict == "per_frame" else "rival"


def variants_of(params: Params) -> dict[str, Variant]:
    """Every variant of the section `variants`, with what write_report.shown_as does not say filled in."""
    found = {}
    for name, entry in params.variants.items():
        trained = entry.network.partition("/")[2]
        method = params.distill.trainings[trained].method if trained else None
        shown = params.write_report.look_of(name)
        role = shown.role or default_role(method, entry.predict)
        found[name] = Variant(entry.predict, role, shown.label or name, shown.colour)
    return found


def leading(variants: Variants, role: Role) -> str | None:
    """The variant that stands for a role, the first that has it; None where none has."""
    return next((name for name, variant in variants.items() if variant.role == role), None)


def called(variants: Variants, role: Role) -> str:
    """What the holder of a role is called: the label of the one that leads, or the role's noun."""
    name = leading(variants, role)
    return NOUNS[role] if name is None else variants[name].label


def label_of(variants: Variants, name: str) -> str:
    """What a variant is called; a training or an older result that none is of goes by its name."""
    return variants[name].label if name in variants else name
