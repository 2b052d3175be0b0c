"""Which students replace which blocks, and what decides whether they are compressed."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from deltadistill.account import amortised_target
from deltadistill.blocks.registry import DESIGNS
from deltadistill.conversion.registry import SELECTORS
from deltadistill.distillation.registry import BOUNDS, COSTS
from deltadistill.pipeline.params.named import named_in
from deltadistill.pipeline.params.section import Positive, Section, Share

_DESIGN_SETTINGS = {
    "linear": ("gamma", "rank", "multiple", "initialisation"),
    "channel": ("gamma",),
    "spatial": ("stride",),
    "channel_spatial": ("gamma", "stride"),
}


class Students(Section):
    """Which students replace which blocks.

    options: the settings of a design of your own, whose kind is package.module:name.
    """

    kind: named_in(DESIGNS)
    gamma: Positive
    stride: Positive
    rank: Literal["out", "min"]
    multiple: Positive
    initialisation: Literal["svd", "random", "data"]
    initialisation_clips: Annotated[int, Field(ge=2)]
    where: named_in(SELECTORS)
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def design(self) -> dict[str, Any]:
        """The kind and the settings that it has, as blocks.designs.student_design takes them."""
        names = _DESIGN_SETTINGS.get(self.kind, ())
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}, **self.options}

    @model_validator(mode="after")
    def _options_are_of_an_own_design(self) -> "Students":
        if self.options and self.kind in _DESIGN_SETTINGS:
            raise ValueError(
                f"options go with a design of your own (package.module:name); the settings of kind "
                f"{self.kind} are {', '.join(_DESIGN_SETTINGS[self.kind])}, beside it"
            )
        if "kind" in self.options:
            raise ValueError("options cannot hold kind; it stands beside them")
        return self


class AmortisedTarget(Section):
    """A cost per frame that the search is to reach."""

    cost: Annotated[float, Field(gt=0, le=1)]
    length: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _lies_above_the_key_frames_share(self) -> "AmortisedTarget":
        amortised_target.AmortisedTarget(self.cost, self.length)  # says what is wrong with it
        return self


class Search(Section):
    """The learned choice between the candidates (section 3.2).

    cost: what of candidates counts: macs; milliseconds, measured at the start of the training; or a function
    of your own (distillation/search_macs.py has its form). cost_options: what it takes beside, such as
    {engine: onnxruntime, threads: 1} of milliseconds.
    chosen_by: gates, which learn; or output_errors: before the training, by what each block alone does to the
        output (distillation/one_shot.py), so that the students learn undisturbed from the first step; or
        ranks: every block gets a rank of its own (distillation/rank_choice.py), and all are compressed.
    bounds: {memory_mib: 8}: the peak of a stream, weights apart; layers whose maps do not fit are not
        converted (distillation/memory_choice.py).
    """

    initial_logit: float
    temperature: Annotated[float, Field(gt=0)]
    warmup: Share
    freeze: Share
    delta_budget: Annotated[float, Field(gt=0, le=1)] | None
    target: AmortisedTarget | None
    cost: named_in(COSTS) = "macs"
    cost_options: dict[str, Any] = Field(default_factory=dict)
    chosen_by: Annotated[
        Literal["gates", "output_errors", "ranks"], Field(exclude_if=lambda value: value == "gates")
    ] = "gates"
    bounds: dict[named_in(BOUNDS), Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, exclude_if=lambda value: not value
    )

    @model_validator(mode="after")
    def _a_choice_beforehand_has_a_target(self) -> "Search":
        if self.chosen_by != "gates" and self.target is None:
            raise ValueError(
                f"chosen_by {self.chosen_by} needs a target that the cost of a frame is to reach"
            )
        if self.chosen_by == "ranks" and self.cost != "macs":
            raise ValueError(f"chosen_by ranks counts macs; got cost {self.cost}")
        return self

    @model_validator(mode="after")
    def _options_are_those_of_the_cost(self) -> "Search":
        if self.cost == "macs" and self.cost_options:
            raise ValueError("cost_options go with another cost than macs, which has none")
        return self

    @model_validator(mode="after")
    def _one_bound_at_most(self) -> "Search":
        if self.delta_budget is not None and self.target is not None:
            raise ValueError("delta_budget and target exclude each other; set one of them to null")
        return self

    @model_validator(mode="after")
    def _freezing_follows_the_warm_up(self) -> "Search":
        if self.freeze < self.warmup:
            raise ValueError(f"freeze {self.freeze} lies before warmup {self.warmup}; gates would never act")
        return self
