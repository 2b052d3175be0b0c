"""One process per GPU of the job: a stage that can use several starts itself again, by torch's own launcher.

    python stages/distill.py …                         as many processes as the job has GPUs, on all nodes
    torchrun --nproc-per-node 4 stages/distill.py …    the same, started by hand

DELTADISTILL_PROCESSES sets the number per node, on processors as well, where it is one otherwise. How many
there are decides no result, so it is no part of a stage's command line. This is torchrun with two
differences: the exit code is that of the stage, and a signal reaches the stage without ending its launcher.
"""

import ctypes
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from signal import SIGINT, SIGKILL, SIGTERM, SIGUSR1, Signals, signal
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
    from torch.distributed.elastic.multiprocessing import ProcessFailure

PROCESSES = "DELTADISTILL_PROCESSES"
_PASSED_ON = (SIGINT, SIGTERM, SIGUSR1)
_LINGER_S = 5.0  # a process that lost another waits so long for the launcher, which knows the reason
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class PeerLostError(RuntimeError):
    """Another process of the group has ended, so that nothing can be summed over all of them any more."""


def over_all_processes() -> None:
    """Go on in one process alone or in a launched one; else launch them all, and exit as they do.

    Called once the command line is known to be right. Raises ValueError for a number of processes that is
    none.
    """
    if is_launched():
        _end_with_the_launcher()
        if not is_first():
            logging.disable(logging.WARNING)  # one of several says it
        return
    nodes, per_node = int(os.environ.get("SLURM_JOB_NUM_NODES", "1")), processes_per_node()
    if nodes > 1:
        raise SystemExit(_on_all_nodes(nodes, per_node))
    if per_node > 1:
        raise SystemExit(launch([*on_one_node(per_node), *sys.argv]))


def is_launched() -> bool:
    """Whether torchrun, or this module, has started this process as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ or {"RANK", "WORLD_SIZE"} <= os.environ.keys()


def is_first() -> bool:
    """Whether this process is the one that writes: alone, or of rank 0."""
    return not is_launched() or os.environ.get("RANK", "0") == "0"


def processes_per_node() -> int:
    """How many processes a node shall have: what DELTADISTILL_PROCESSES says, else one per GPU of the job."""
    asked = os.environ.get(PROCESSES)
    if asked is not None:
        if not asked.isdecimal() or int(asked) < 1:
            raise ValueError(f"{PROCESSES}={asked}: expected the number of processes per node, 1 or more")
        return int(asked)
    import torch

    gpus = torch.cuda.device_count()
    return max(1, min(gpus, int(os.environ.get("SLURM_GPUS_ON_NODE", gpus))))


def on_one_node(per_node: int) -> list[str]:
    """Options of torchrun for this node alone."""
    meeting = ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", f"--rdzv-id={os.getpid()}"]
    return ["--nnodes=1", f"--nproc-per-node={per_node}", "--local-addr=127.0.0.1", *meeting]


def on_slurm_nodes(nodes: int, per_node: int) -> list[str]:
    """Options of torchrun for every node of a Slurm job: they meet at the first node."""
    job = os.environ["SLURM_JOB_ID"]
    listed = ["scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"]]
    first = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()[0]
    port = 20000 + int(job) % 10000  # below the ports that systems hand out, and of this job
    meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint={first}:{port}", f"--rdzv-id={job}"]
    return [f"--nnodes={nodes}", f"--nproc-per-node={per_node}", *meeting]


def srun(nodes: int) -> list[str]:
    """Command that runs another one once on every node of the job, whatever step this process is part of."""
    cpus = os.environ.get("SLURM_CPUS_PER_TASK")
    return [
        "srun",
        *(f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"),
        *([f"--cpus-per-task={cpus}"] if cpus else []),
        *("--cpu-bind=none", "--overlap", "--kill-on-bad-exit=1"),
    ]


def _on_all_nodes(nodes: int, per_node: int) -> int:
    command = [
        *srun(nodes),
        sys.executable,
        "-m",
        "deltadistill.processes.launch",
        *on_slurm_nodes(nodes, per_node),
    ]
    # A node that another one has left says so in one line, not by a stack of C++ as well.
    environment = {"TORCH_CPP_LOG_LEVEL": "ERROR", **os.environ}
    step = subprocess.Popen([*command, *sys.argv], start_new_session=True, env=environment)
    interrupted = []

    def pass_on(number: Signals) -> None:
        interrupted.append(number)
        step.send_signal(SIGTERM if number == SIGINT else number)  # srun takes SIGINT for a question

    with step, _signals_to(pass_on):
        code = _exit_code(step.wait())
    # srun ends the other tasks when the first one has stopped, and tells of that end
    return 128 + interrupted[0] if code and interrupted else code


def launch(command: Sequence[str]) -> int:
    """Do what `torchrun *command` does on this node; return the exit code of the process that failed first.

    SIGINT, SIGTERM and SIGUSR1 are passed on to the processes, which end in their own time; a second SIGINT
    kills them. What the first failure was is printed, once.
    """
    from torch.distributed.elastic.rendezvous import RendezvousError

    agent = _agent(command)
    # what they say of a failure is told below, once
    for module in ("multiprocessing", "agent", "rendezvous"):
        logging.getLogger(f"torch.distributed.elastic.{module}").setLevel(logging.CRITICAL)
    interrupted = []

    def pass_on(number: Signals) -> None:
        workers = [worker.id for worker in agent.get_worker_group().workers if worker.id is not None]
        if not workers:
            raise SystemExit(128 + number)
        number = SIGKILL if number == SIGINT and SIGINT in interrupted else number
        interrupted.append(number)
        for process in workers:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process, number)

    with _signals_to(pass_on):
        try:
            result = agent.run()
        except RendezvousError as error:
            print(f"the launchers of the nodes did not meet, or another one ended: {error}", file=sys.stderr)
            return 1
        finally:
            agent.get_worker_group().spec.rdzv_handler.shutdown()
    if not result.is_failed():
        return 0
    first = min(result.failures.values(), key=lambda failure: (_only_lost(failure), failure.timestamp))
    _tell(first)
    return _exit_code(first.exitcode)


def _agent(command: Sequence[str]) -> "LocalElasticAgent":
    """The part of torchrun that starts processes and watches them."""
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.agent.server.api import WorkerSpec
    from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
    from torch.distributed.elastic.rendezvous import RendezvousParameters, registry

    options = torchrun.parse_args(list(command))
    os.environ.setdefault("OMP_NUM_THREADS", str(_threads(int(options.nproc_per_node))))
    os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"] = "SIGHUP,SIGQUIT"  # the others are passed on, see launch
    config, program, arguments = torchrun.config_from_args(options)
    meeting = RendezvousParameters(
        backend=config.rdzv_backend,
        endpoint=config.rdzv_endpoint,
        run_id=config.run_id,
        min_nodes=config.min_nodes,
        max_nodes=config.max_nodes,
        local_addr=config.local_addr,
        **config.rdzv_configs,
    )
    spec = WorkerSpec(
        role=config.role,
        local_world_size=config.nproc_per_node,
        entrypoint=program,
        args=tuple(arguments),
        rdzv_handler=registry.get_rendezvous_handler(meeting),
        max_restarts=config.max_restarts,
        monitor_interval=config.monitor_interval,
        local_addr=config.local_addr,
    )
    return LocalElasticAgent(spec, config.logs_specs, start_method=config.start_method)


def _threads(processes: int) -> int:
    """Processor threads for each of so many processes."""
    return max(1, len(os.sched_getaffinity(0)) // processes)


@contextmanager
def _signals_to(handler: Callable[[Signals], None]) -> Iterator[None]:
    before = {number: signal(number, lambda got, frame: handler(Signals(got))) for number in _PASSED_ON}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal(number, earlier)


def _exit_code(status: int) -> int:
    """A shell's exit code for a process that ended by itself, or (negative) by a signal."""
    return status if status >= 0 else 128 - status


def _message(failure: "ProcessFailure") -> dict[str, Any]:
    """What the failed process has told about its end; empty where it could not."""
    message = failure.error_file_data.get("message")
    return message if isinstance(message, dict) else {}


def _only_lost(failure: "ProcessFailure") -> bool:
    return _message(failure).get("message", "").startswith(PeerLostError.__name__)


def _tell(failure: "ProcessFailure") -> None:
    if message := _message(failure):
        print(message["extraInfo"]["py_callstack"].rstrip(), file=sys.stderr)
    elif failure.exitcode < 0:
        name = failure.signal_name()
        print(f"process {failure.pid} (local rank {failure.local_rank}) was ended by {name}", file=sys.stderr)


def report(error: BaseException, text: str) -> None:
    """Leave `text` for the launcher, which prints that of the process that failed first.

    The file is of the form that torchrun knows, for one that was started by hand; without one it is printed.
    """
    if isinstance(error, PeerLostError):
        time.sleep(_LINGER_S)
    if "TORCHELASTIC_ERROR_FILE" not in os.environ:
        print(text.rstrip(), file=sys.stderr)
        return
    extra = {"py_callstack": text, "timestamp": str(int(time.time()))}
    content = {"message": {"message": f"{type(error).__name__}: {error}", "extraInfo": extra}}
    with open(os.environ["TORCHELASTIC_ERROR_FILE"], "w") as file:
        json.dump(content, file)


def leave(code: int) -> NoReturn:
    """End this process at once.

    gloo's threads outlive their group; one that wants the interpreter while that shuts down ends the process
    by SIGABRT, seldom but after all work is done.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_with_the_launcher() -> None:
    """Leave no process behind that would go on writing when its launcher was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, SIGKILL)


if __name__ == "__main__":
    raise SystemExit(launch(sys.argv[1:]))
