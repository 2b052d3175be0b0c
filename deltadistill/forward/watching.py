"""A mode that sees every operator as it is called, without PyTorch's compiler."""

from torch.utils._python_dispatch import TorchDispatchMode


class OperatorWatch(TorchDispatchMode):
    """Sees every operator on its way to the device, by a `__torch_dispatch__` of its own."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or PyTorch imports its compiler for this mode, which takes a second or two
