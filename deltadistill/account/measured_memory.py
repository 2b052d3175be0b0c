"""Peak memory as measured: of PyTorch's allocator, and of the whole process; ONNX Runtime's is in `arena`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch.autograd.profiler import profile

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@torch.no_grad()
def pytorch_bytes(run: Callable[[], object], device: torch.device | str = "cpu") -> int:
    """The most that PyTorch's allocator holds while `run` runs, beside what it held before.

    On a GPU the allocator's own count, else the profiler's memory events. What exists before, such as weights
    and the frame, does not count; what kernels ask for besides their outputs does.
    """
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it would write to stderr of a GPU that is not there
    # torch.profiler imports PyTorch's compiler, which takes seconds, and shows sums over operators
    with profile(use_kineto=True, profile_memory=True) as profiled:
        run()
    events = profiled.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return highest(size for _, size in changes)


def highest(changes: Iterable[int]) -> int:
    """The highest sum of the first changes, in bytes; at least 0."""
    held = most = 0
    for change in changes:
        held += change
        most = max(most, held)
    return most


def process_bytes(run: Callable[[], object]) -> int | None:
    """How far the process grows in resident memory while `run` runs; None where the system does not say it.

    Linux does. A process that has grown before has room that it does not give back: measure first, or in a
    process of its own.
    """
    try:
        _CLEAR.write_text("5")  # the highest so far is forgotten
        before = _status("VmRSS")
        run()
        return max(0, _status("VmHWM") - before)
    except OSError:
        return None


def _status(name: str) -> int:
    found = re.search(rf"^{name}:\s*(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"{_STATUS} has no {name}")
    return int(found[1]) * 1024
