"""What every section of params.yaml is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[tuple[Positive, Positive], Field(description="height and width, pixels")]


class Section(BaseModel):
    """A part of params.yaml: frozen, without unknown keys, without conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def unless_given(value: object) -> bool:
    """For `exclude_if`: left out of records, since what nobody set decides nothing."""
    return not value
