"""Ctrl-C while Snakemake asks what became of a cluster's jobs, when its own list of them is empty."""

import threading

import pytest
from cancelling import cancel

CANCELS = """
from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

try:
    main()
except SystemExit:
    print("cancels by", RemoteExecutor.cancel.__module__)
"""


class Executor:
    """What `cancel` needs of an executor of remote jobs."""

    def __init__(self, listed: list[str], asked_about: list[str]):
        self.lock = threading.Lock()
        self.active_jobs = listed
        self._asked_about = asked_about
        self.calls = []

    def cancel_jobs(self, jobs: list[str]) -> None:
        self.calls.append(jobs)

    def shutdown(self) -> None:
        self.calls.append("shutdown")
        self.active_jobs.extend(self._asked_about)


@pytest.mark.parametrize(
    ("listed", "asked_about"), [(["1", "2"], []), ([], ["1", "2"]), (["1"], ["2"]), ([], [])]
)
def test_each_job_is_cancelled_once_and_at_once_where_it_is_listed(listed, asked_about):
    executor = Executor(list(listed), list(asked_about))
    cancel(executor)
    assert executor.calls == [listed, "shutdown", asked_about]


def test_this_is_what_snakemake_still_needs():
    """Its own way of cancelling misses these jobs; should this fail after an update, drop ours."""
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    executor = Executor([], ["1"])
    RemoteExecutor.cancel(executor)
    assert executor.calls == [[], "shutdown"]


def test_snakemake_cancels_so_in_this_project(finished):
    assert "cancels by cancelling" in finished.run("python", "-c", CANCELS, "--dry-run")
