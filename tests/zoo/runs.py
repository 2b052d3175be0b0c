"""A network of the zoo beside its conversion, run frame by frame, as a clip and as a stream."""

from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import deltadistill as dd
from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta_network import delta_blocks

Outputs = list[list[Tensor]]
"""Per frame, the tensors (N, …) that are compared."""

every_layer = dd.matching(lambda _, module: isinstance(module, nn.Conv2d | nn.Linear))


class Subject:
    """One entry of the zoo, built and converted once for all that is asked of it."""

    def __init__(self, entry):
        self.entry = entry
        self.plain = entry.network()
        self.clip = entry.frames()
        students = dd.LinearStudent(gamma=4, rank="min", initialisation="random")
        torch.manual_seed(2)
        self.network = dd.convert(self.plain, students, every_layer, example=self.clip[:, 0])
        self.blocks = delta_blocks(self.network)

    @cached_property
    def teacher(self) -> Outputs:
        """Every frame by the network as it was."""
        return self.per_frame(self.plain)

    def decide(self, candidate: str) -> None:
        for block in self.blocks.values():
            block.decide(candidate)

    @contextmanager
    def null_students(self):
        """Let every student predict that nothing changes."""
        self.decide(COMPRESSED)
        last = [list(block.compressed.parameters())[-1] for block in self.blocks.values()]
        kept = [weight.detach().clone() for weight in last]
        with torch.no_grad():
            for weight in last:
                weight.zero_()
            yield
            for weight, values in zip(last, kept, strict=True):
                weight.copy_(values)

    def per_frame(self, network: nn.Module) -> Outputs:
        with self._observed(network) as observe:
            return [observe(network(frame)) for frame in self.clip.unbind(1)]

    def as_clip(self, clip: Tensor) -> Outputs:
        frames = clip.shape[1]
        with self._observed(self.network) as observe:
            leaves = observe(dd.forward_clip(self.network, clip))
        if self.entry.heads:  # seen inside the network, where time is still folded into the batch
            leaves = [leaf.unflatten(0, (frames, -1)).transpose(0, 1) for leaf in leaves]
        return [[leaf[:, t] for leaf in leaves] for t in range(frames)]

    def as_stream(self, *, period: int) -> Outputs:
        stream = dd.Stream(self.network, period=period)
        with self._observed(self.network) as observe:
            return [observe(stream(frame)) for frame in self.clip.unbind(1)]

    def with_key_features(self) -> Outputs:
        """Run the plain network with every converted layer's output replaced by the key frame's.

        Written with hooks alone, so that it shares nothing with blocks and sessions.
        """
        kept: dict[nn.Module, list[Tensor]] = {}

        def remember(module, arguments, output):
            kept.setdefault(module, []).append(output.clone())

        def repeat(module, arguments, output):
            kept[module].append(kept[module].pop(0))
            return kept[module][-1].clone()

        layers = [self.plain.get_submodule(name) for name in self.blocks]
        outputs = []
        for t, frame in enumerate(self.clip.unbind(1)):
            hooks = [layer.register_forward_hook(repeat if t else remember) for layer in layers]
            with self._observed(self.plain) as observe:
                outputs.append(observe(self.plain(frame)))
            for hook in hooks:
                hook.remove()
        return outputs

    @contextmanager
    def _observed(self, network: nn.Module):
        """Yield what turns a network's output into the tensors to compare: its heads' or its own."""
        seen: list[Tensor] = []
        hooks = [
            network.get_submodule(head).register_forward_hook(
                lambda module, arguments, output: seen.extend(leaf.clone() for leaf in tree_leaves(output))
            )
            for head in self.entry.heads
        ]

        def observe(output) -> list[Tensor]:
            if not self.entry.heads:
                return [leaf.clone() for leaf in tree_leaves(output)]
            leaves = list(seen)
            seen.clear()
            return leaves

        try:
            with torch.no_grad():
                yield observe
        finally:
            for hook in hooks:
                hook.remove()


def largest_error(actual: Outputs, expected: Outputs) -> float:
    """Largest relative error ‖a − e‖ / ‖e‖ of any tensor of any frame."""
    return max(
        ((a - e).norm() / e.norm().clamp_min(1e-12)).item()
        for ours, theirs in zip(actual, expected, strict=True)
        for a, e in zip(ours, theirs, strict=True)
    )
