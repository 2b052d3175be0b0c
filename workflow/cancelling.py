"""Ctrl-C cancels all jobs of a cluster, those too that Snakemake is asking about at that moment."""

from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


def cancel_all_jobs() -> None:
    """Let every executor of remote jobs cancel as `cancel` does."""
    RemoteExecutor.cancel = cancel


def cancel(executor: RemoteExecutor) -> None:
    """Cancel the jobs on the executor's list, and once it has ended those that were not on it.

    While the executor asks what became of its jobs, its list is empty.
    """
    first = _listed(executor)
    executor.cancel_jobs(first)
    executor.shutdown()  # ends when the asking has
    executor.cancel_jobs([job for job in _listed(executor) if job not in first])


def _listed(executor: RemoteExecutor) -> list:
    with executor.lock:
        return list(executor.active_jobs)
