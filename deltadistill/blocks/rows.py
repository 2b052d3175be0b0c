"""Whether the rows of a block's input are frames, as a clip or a stream has them."""

from torch import Tensor, nn

from deltadistill.blocks.delta import DeltaBlock

ADVICE = "pass example= to convert, or leave it out in `where`"


def label(block: DeltaBlock) -> str:
    """The block in an error message."""
    return f"the block {block.name!r}"


def require_rows(block: DeltaBlock, x: Tensor, frames: int) -> None:
    """Raise ValueError unless `x` has the rows of so many frames."""
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{label(block)} got a {type(x).__name__}, where one tensor of frames was expected; {ADVICE}"
        )
    expected = block.rows_per_frame * frames
    if x.dim() == 0 or x.shape[0] != expected:
        raise ValueError(
            f"{label(block)} got an input of shape {tuple(x.shape)} for {frames} frame(s), where "
            f"{expected} row(s) were expected: its first axis is not frames; {ADVICE}"
        )


def require_order(block: DeltaBlock, x: Tensor) -> None:
    """Raise ValueError for sequences that may be (tokens, frames, C), with as many tokens as frames.

    Maps are not asked: a convolution's input always has its images first.
    """
    if isinstance(block.teacher, nn.Linear) and len(x) in x.shape[1:-1]:
        raise ValueError(
            f"{label(block)} got an input of shape {tuple(x.shape)}, in which either axis of {len(x)} may "
            "be the frames; pass example= to convert, or another number of frames"
        )
