"""How large ONNX Runtime's arena gets for a graph: a process of its own, which its log tells.

    python -m deltadistill.account.arena graph.onnx

Its Python interface does not say what its allocator holds. So a process registers an arena that grows by no
more than what is asked for, runs the graph twice, and reads what the arena logs. The first run shows ONNX
Runtime the lifetimes of all maps, and the arena is emptied after it; for the second it asks for the planned
memory at once, and for what kernels need besides. The frame is the caller's memory, and weights are apart.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

_SECOND = "the second run begins"
_GROWN = re.compile(r"Extended allocation by (\d+) bytes")


def arena_bytes(graph: Path) -> int:
    """Bytes that ONNX Runtime's arena needs for one run of a graph whose shapes are all known.

    Raises RuntimeError where the process fails, or where this ONNX Runtime logs nothing of its arena.
    """
    done = subprocess.run(
        [sys.executable, "-m", "deltadistill.account.arena", str(graph)], capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise RuntimeError(f"{graph}: ONNX Runtime did not run it: {last}")
    log = done.stderr.partition(_SECOND)[2]
    grown = [int(found) for found in _GROWN.findall(log)]
    if not grown:
        version = json.loads(done.stdout)["onnxruntime"]
        raise RuntimeError(f"{graph}: onnxruntime {version} does not log how its arena grows; 1.32 does")
    return sum(grown)


def main(graph: str) -> None:
    """Run a graph twice, with all that its arena does on stderr."""
    import numpy as np
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]

    onnxruntime.set_default_logger_severity(1)
    arena = onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1, "initial_chunk_size_bytes": 256})
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(place, arena)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.use_env_allocators", "1")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs = {each.name: np.zeros(each.shape, _TYPES[each.type]) for each in session.get_inputs()}
    emptying = onnxruntime.RunOptions()
    emptying.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    session.run(None, inputs, emptying)
    print(_SECOND, file=sys.stderr, flush=True)
    session.run(None, inputs)
    print(json.dumps({"onnxruntime": onnxruntime.__version__}))


_TYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(float16)": "float16"}

if __name__ == "__main__":
    main(sys.argv[1])
