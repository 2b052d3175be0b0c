"""How the maps of a delta network are moved along with the picture, as its maker and runner.json tell it."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deltadistill.runtime.between import FlowForm
from deltadistill.runtime.needs_opencv import made_with_opencv
from deltadistill.runtime.registry import MOTIONS
from deltadistill.runtime.tensor_form import TensorForm


class MapMotion(BaseModel):
    """z_t = warp(c_0, m_t) + g(x_t): maps go where the picture has gone before each delta frame.

    See "Maps that move with the picture" in docs/method.md.

    flow: how motion since the key frame is estimated; it counts where it brings the pictures nearer to one
        another. coarsest: maps of a lower resolution than the flow's over this stay; None: all move.
    least: of a place of a map; what moves by less stays, which takes less time.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    flow: FlowForm = FlowForm(preset="fast")
    coarsest: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] | None = None
    least: Annotated[float, Field(ge=0, lt=1, strict=False)] = 0.0

    @model_validator(mode="after")
    def _is_since_the_key_frame(self) -> "MapMotion":
        if self.flow.chained:
            raise ValueError("maps are moved by the flow between key frame and present one: chained is false")
        return self


def motion_since_key(form: MapMotion) -> Any:
    """What finds motion since the key frame (key_motion.py); ValueError where OpenCV is not installed."""
    return made_with_opencv(lambda: MOTIONS.find("flow")(form), "maps")


class MovedMaps(MapMotion):
    """The same with the names of the maps that move, as runner.json has it."""

    maps: Annotated[list[str], Field(min_length=1)]

    def require_movable(self, maps: Sequence[TensorForm], frame: TensorForm, *, are_pictures: bool) -> None:
        """Raise ValueError for names that are not of maps of places, a map for each picture."""
        if not are_pictures:
            raise ValueError("motion: maps are moved along with pictures, and the frames here are none")
        if len(set(self.maps)) < len(self.maps):
            raise ValueError("motion: a map is named twice")
        found = {each.name: each for each in maps}
        for name in self.maps:
            if name not in found:
                raise ValueError(f"motion: {name!r} is no map; there are {', '.join(found) or 'none'}")
            form = found[name]
            if len(form.shape) != 4 or form.dtype != "float32" or form.shape[0] != frame.shape[0]:
                raise ValueError(
                    f"motion: the map {name!r} of {form.dtype} and shape {form.shape} cannot be moved; "
                    f"expected float32 of shape [{frame.shape[0]}, channels, height, width]"
                )
