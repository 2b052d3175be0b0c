"""Memory of tensors that are kept."""

from collections.abc import Iterable

from torch import Tensor


def kept_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of all elements of the tensors together."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
