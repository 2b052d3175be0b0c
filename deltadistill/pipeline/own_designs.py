"""Student designs of a user's own, imported because params.yaml names them: network files import nothing."""

from collections.abc import Iterable

from deltadistill.blocks.registry import DESIGNS
from deltadistill.pipeline.params import Params


def import_own_designs(params: Params, networks: Iterable[str]) -> None:
    """Import the designs of one's own that these networks ("distill/NAME", or others) are made with.

    Raises ValueError for a path that leads nowhere.
    """
    trained = (name.partition("/")[2] for name in networks)
    for name in filter(None, trained):
        kind = params.distill.of_training(name).students.kind
        if kind not in DESIGNS:
            DESIGNS.find(kind)
