"""A sweep: one list of parameter settings, as a file of sweeps/."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from deltadistill.pipeline.params.section import Count, Name, Section

SWEPT_SECTIONS = ("prepare_dataset", "model", "pretrain_teacher", "distill")  # what decides a network


class ParameterSweep(Section):
    """What a file of sweeps/ holds; keys are written as in params.yaml, with dots between sections.

    base: name of an overlay of experiments/ that all settings start from, None for params.yaml as it is.
    trainings: names of `distill.trainings` that every setting trains and measures.
    beside: names of `variants` that are measured once beside all settings; the teacher is always among them.
    over: values by key; every combination is a setting.
    settings: further settings, one by one, each with its values by key.
    colour: the swept key that the figure of all settings is coloured by, None for the first.
    """

    base: Name | None = None
    seeds: Annotated[list[Count], Field(min_length=1)]
    trainings: Annotated[list[Name], Field(min_length=1)]
    beside: list[Name] = Field(default_factory=lambda: ["teacher"])
    over: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    settings: list[Annotated[dict[str, Any], Field(min_length=1)]] = Field(default_factory=list)
    colour: str | None = None

    @property
    def keys(self) -> list[str]:
        """All swept keys, in the order in which they first appear."""
        return list(dict.fromkeys([*self.over, *(key for setting in self.settings for key in setting)]))

    @model_validator(mode="after")
    def _something_is_swept(self) -> "ParameterSweep":
        if not self.keys:
            raise ValueError("nothing is swept; give `over` a key with values, or list `settings`")
        return self

    @model_validator(mode="after")
    def _keys_decide_a_network(self) -> "ParameterSweep":
        for key in self.keys:
            section, _, rest = key.partition(".")
            if section not in SWEPT_SECTIONS or not rest or rest.split(".")[0] == "trainings":
                raise ValueError(
                    f"{key!r} cannot be swept; keys lie in {', '.join(SWEPT_SECTIONS)}, but not in "
                    "distill.trainings (list its names under `trainings`)"
                )
        for one, other in ((a, b) for a in self.keys for b in self.keys if b.startswith(f"{a}.")):
            raise ValueError(f"{one!r} holds {other!r}; sweep one of them")
        return self

    @model_validator(mode="after")
    def _nothing_is_listed_twice(self) -> "ParameterSweep":
        lists = {"seeds": self.seeds, "trainings": self.trainings, "beside": self.beside} | self.over
        for name, values in lists.items():
            if any(value in values[:place] for place, value in enumerate(values)):
                raise ValueError(f"{name} {values} has the same value twice")
        return self

    @model_validator(mode="after")
    def _the_colour_is_swept(self) -> "ParameterSweep":
        if self.colour is not None and self.colour not in self.keys:
            raise ValueError(f"colour {self.colour!r} is no swept key; allowed: {', '.join(self.keys)}")
        return self
