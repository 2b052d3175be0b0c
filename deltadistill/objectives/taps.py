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
    in place is seen as changed. own_modules, teacher_modules: those of one of the two alone, where a teacher
    is another network. output: the network's output. teacher_output: the teacher's own, for the later frames.
    """

    blocks: bool = False
    modules: tuple[str, ...] = ()
    own_modules: tuple[str, ...] = ()
    teacher_modules: tuple[str, ...] = ()
    output: bool = False
    teacher_output: bool = False

    @property
    def need_teacher(self) -> bool:
        """Whether the teacher must run on the later frames by itself."""
        return self.blocks or bool(self.of_teacher) or self.teacher_output

    @property
    def need_network(self) -> bool:
        """Whether the network that learns must run."""
        return self.blocks or bool(self.of_network) or self.output

    @property
    def of_network(self) -> tuple[str, ...]:
        """Names of all modules that are seen in the network that learns."""
        return tuple(dict.fromkeys(self.modules + self.own_modules))

    @property
    def of_teacher(self) -> tuple[str, ...]:
        """Names of all modules that are seen in the teacher."""
        return tuple(dict.fromkeys(self.modules + self.teacher_modules))

    @classmethod
    def of_all(cls, several: Iterable["Taps"]) -> "Taps":
        """Everything that any of several asks for."""
        several = list(several)
        return cls(
            blocks=any(taps.blocks for taps in several),
            modules=_joined(taps.modules for taps in several),
            own_modules=_joined(taps.own_modules for taps in several),
            teacher_modules=_joined(taps.teacher_modules for taps in several),
            output=any(taps.output for taps in several),
            teacher_output=any(taps.teacher_output for taps in several),
        )


def _joined(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in several for name in names))


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
