"""Memory in an inspection: a frame's peak in theory and in eager PyTorch, and what a stream needs."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from deltadistill.account.memory import weight_bytes
from deltadistill.account.memory_table import MIB, MemoryTable
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.stream_memory import StreamMemory, memory_of, stream_memory

Run = Callable[[nn.Module, Tensor], Any]


def memory_of_frame(network: nn.Module, table: MemoryTable) -> dict[str, Any]:
    """Bytes of a plain network's frame by theory: `peak` with lifetimes and as `published`, and where."""
    return {
        "weights": weight_bytes(network),
        "peak": table.peak,
        "peak_at": table.peak_row.name,
        "published": table.published_peak,
        "published_at": table.published_row.name,
    }


def memory_of_stream(
    delta: nn.Module, frame: Tensor, run: Run | None, *, on_values: bool = False
) -> dict[str, Any]:
    """Bytes of a stream of a delta network; `problem` says why they are not known.

    on_values: whether it is known already that shapes alone do not tell them, which is not tried then.
    """
    try:
        found = _stream_memory(delta.eval(), frame, run, on_values)
    except (ValueError, RuntimeError) as error:
        return {"problem": (str(error).splitlines() or [type(error).__name__])[0]}
    peaks = {"key_peak": found.key.peak, "delta_peak": found.delta.peak}
    return {"problem": None, "weights": found.weights, "maps": found.maps, **peaks}


def _stream_memory(delta: nn.Module, frame: Tensor, run: Run | None, on_values: bool) -> StreamMemory:
    if on_values:
        return memory_of(delta_functions(delta, frame, run=run), frame)
    return stream_memory(delta, frame, run=run)


def printed_memory(result: Mapping[str, Any]) -> str:
    """What an inspection says of memory."""
    frame, stream = result["memory"], result["stream_memory"]
    lines = [
        "Memory, weights apart, MiB:",
        f"  a frame {_mib(frame['peak'])}, the most at {_place(frame['peak_at'])}; as ReDistill counts it "
        f"{_mib(frame['published'])} at {_place(frame['published_at'])}; eager PyTorch holds "
        f"{_mib(frame['pytorch'])}",
    ]
    if stream is None:
        return "\n".join(lines)
    if stream["problem"]:
        return "\n".join([*lines, f"  a stream: not known, as {stream['problem']}"])
    known = (
        f"  a stream: maps {_mib(stream['maps'])}, with them a key frame {_mib(stream['key_peak'])} and a "
        f"delta frame {_mib(stream['delta_peak'])}; weights {_mib(stream['weights'])}, a plain network's "
        f"{_mib(frame['weights'])}"
    )
    return "\n".join([*lines, known])


def _mib(size: int) -> str:
    return f"{size / MIB:.1f}" if size >= MIB else f"{size / MIB:.3f}"


def _place(name: str) -> str:
    return f"layer {name}" if name else "the network itself"
