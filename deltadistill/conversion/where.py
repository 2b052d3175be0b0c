"""The selectors by the names that params.yaml uses."""

from deltadistill import models
from deltadistill.conversion import convert as conversion

WHERE: dict[str, conversion.Selector] = {
    "inner_convolutions": conversion.inner_convolutions,
    "all_convolutions": conversion.all_convolutions,
    "published_convolutions": models.published_convolutions,
    "inner_layers": conversion.inner_layers,
    "all_layers": conversion.all_layers,
    "residual_blocks": conversion.residual_blocks,
}
