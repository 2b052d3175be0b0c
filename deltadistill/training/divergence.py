"""Where numbers stopped being finite: the first layer of a pass over the batch that broke a training."""

from collections.abc import Callable, Iterable
from contextlib import contextmanager

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def parameters_not_finite(network: nn.Module) -> list[str]:
    """Names of the parameters and buffers that hold NaN or infinity, in the network's order."""
    return [name for name, value in network.state_dict().items() if not _finite([value])]


def first_layer_not_finite(network: nn.Module, run: Callable[[], object]) -> str | None:
    """Name of the first layer whose output is not finite although its input is; None where all is finite.

    run: the pass to look at; it is run once more. Layers are the modules without children.
    """
    found: list[str] = []
    with _hooks(network, found):
        run()
    return found[0] if found else None


@contextmanager
def _hooks(network: nn.Module, found: list[str]):
    def hook_of(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: object, output: object) -> None:
            if not found and not _finite(tree_leaves(output)) and _finite(tree_leaves(inputs)):
                found.append(name)

        return hook

    layers = ((name, layer) for name, layer in network.named_modules() if not list(layer.children()))
    handles = [layer.register_forward_hook(hook_of(name)) for name, layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _finite(values: Iterable[object]) -> bool:
    return all(
        bool(value.isfinite().all())
        for value in values
        if isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())
    )
