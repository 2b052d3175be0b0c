"""The processor that times were measured on: what decides how fast it is, and no name of a machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

# Instruction sets that make networks fast, x86 then Arm: what the system calls them, and what everyone does.
_FEATURES = {
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx512_vnni": "avx512_vnni",
    "avx_vnni": "avx_vnni",
    "avx512_bf16": "avx512_bf16",
    "avx512_fp16": "avx512_fp16",
    "amx_tile": "amx",
    "amx_bf16": "amx_bf16",
    "amx_int8": "amx_int8",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
}


def describe_machine() -> dict[str, str | int | list[str]]:
    """Describe the processor as `describe_processor` does, and the vector instructions that PyTorch uses."""
    import torch  # not above: a runner is run without it

    return {
        **describe_processor(),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "system": platform.system(),
    }


def describe_processor() -> dict[str, str | int | list[str]]:
    """Describe the processor: model, architecture, cores, features.

    logical_cores: of the machine. usable_cores: that this process may run on.
    features: instruction sets by the names of _FEATURES, in its order; empty where the system does not say.
    """
    about = _about_processor()
    return {
        "processor": about.get("model name") or platform.processor() or "unknown",
        "architecture": platform.machine(),
        "logical_cores": os.cpu_count() or 1,
        "usable_cores": usable_cores(),
        "features": features_here(),
    }


def fast_multiple() -> int:
    """A multiple of channels that runs fast here, as in `dd.LinearStudent(multiple=dd.fast_multiple())`.

    Convolutions work on blocks of channels as wide as the vector registers: 16 values with AVX-512 or AMX, 8
    with AVX2, and two registers of four on Arm. Of a rank between two multiples the rest of a block is idle.
    """
    found = features_here()
    return 16 if "avx512" in found or "amx" in found else 8


def features_here() -> list[str]:
    """Instruction sets of this processor, by the names of _FEATURES."""
    about = _about_processor()
    return features(about.get("flags") or about.get("Features") or "")


def usable_cores() -> int:
    """Logical cores that this process may run on: all, or those that a queue leaves it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def features(flags: str) -> list[str]:
    """Which of the instruction sets that matter to networks are among a processor's flags."""
    listed = set(flags.split())
    return [known for flag, known in _FEATURES.items() if flag in listed]


def _about_processor() -> dict[str, str]:
    """What Linux says of the first core; nothing elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
