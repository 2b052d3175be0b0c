"""Memory that is held at every step of a forward pass, if each buffer lives from its making to its last read.

Nothing that keeps to the order of the steps, computes nothing twice and runs layers whole can hold less.
Three things are as an engine can run them: what works on each element alone writes over an input that nobody
needs any more; the parts of a concatenation that nobody else needs are made in its place; what is never read,
such as the positions that a maximum came from, is not made.
"""

from collections.abc import Collection

from deltadistill.account.dataflow import Dataflow, Step


def held_bytes(flow: Dataflow, kept: Collection[int] = ()) -> list[int]:
    """Bytes of all buffers that are held while each step runs; `kept` are held to the end.

    Inputs count from the first step to their last read, and are written over by nobody.
    """
    last = flow.last_reads(kept)
    live = {buffer for buffer in flow.inputs if last[buffer] >= 0}
    held = []
    for number, step in enumerate(flow.steps):
        made = made_by(step, last)
        live.update(made)
        dying = {buffer for buffer in step.reads if last[buffer] == number} - {*flow.inputs, *made}
        held.append(sum(flow.sizes[buffer] for buffer in live) - _reused(step, made, dying, flow.sizes))
        live = {buffer for buffer in live if last[buffer] > number}
    return held


def made_by(step: Step, last: list[int]) -> list[int]:
    """The buffers that a step makes and somebody reads; all, where nobody reads any."""
    return [buffer for buffer in step.writes if last[buffer] >= 0] or list(step.writes)


def _reused(step: Step, made: list[int], dying: set[int], sizes: list[int]) -> int:
    """Bytes of what a step makes that lie where an input of it lay."""
    total = sum(sizes[buffer] for buffer in made)
    if step.kind == "concatenation":
        return min(total, sum(sizes[buffer] for buffer in dying))
    if step.kind == "pointwise" and any(sizes[buffer] == total for buffer in dying):
        return total
    return 0
