"""Where objectives look into a network: its blocks, modules by name, its output; the teacher's likewise."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.forward.named_modules import named_module

Maps = dict[str, list[Tensor]]
"""What modules returned, by their names: the tensors of each, in the order in which they were made."""


@dataclass(frozen=True)
class Taps:
    """What an objective asks to see of a pass; the batch itself can always be seen.

    blocks: the error of every block's students (Eq. 1 or 2). modules: names of modules whose outputs, of the
    delta network and of the teacher, are seen; their first axis is frames, and what a later layer changes
    in place is seen as changed. taught_by: names of modules that are seen in the teacher alone, where they go
    by other names there. output: the network's output. teacher_output: the teacher's own, for the later
    frames.
    """

    blocks: bool = False
    modules: tuple[str, ...] = ()
    taught_by: tuple[str, ...] = ()
    output: bool = False
    teacher_output: bool = False

    @property
    def need_teacher(self) -> bool:
        """Whether the teacher must run on the later frames by itself."""
        return self.blocks or bool(self.modules or self.taught_by) or self.teacher_output

    @classmethod
    def of_all(cls, several: Iterable["Taps"]) -> "Taps":
        """Everything that any of several asks for."""
        several = list(several)
        return cls(
            blocks=any(taps.blocks for taps in several),
            modules=tuple(dict.fromkeys(name for taps in several for name in taps.modules)),
            taught_by=tuple(dict.fromkeys(name for taps in several for name in taps.taught_by)),
            output=any(taps.output for taps in several),
            teacher_output=any(taps.teacher_output for taps in several),
        )


@contextmanager
def tapped(network: nn.Module, modules: Sequence[str]) -> Iterator[Maps]:
    """Collect what modules return in the forward pass inside.

    Raises ValueError for a name that the network does not have.
    """
    seen: Maps = {name: [] for name in modules}
    with ExitStack() as hooks:
        for name, made in seen.items():
            hooks.callback(
                named_module(network, name, wanted_by="an objective")
                .register_forward_hook(_noting(made))
                .remove
            )
        yield seen


def _noting(made: list[Tensor]) -> Callable[[nn.Module, object, object], None]:
    def hook(_module: nn.Module, _inputs: object, output: object) -> None:
        made.extend(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor))

    return hook
