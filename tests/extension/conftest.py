"""The copied project with stand-ins, as tests/workflow has it."""

from workflow.conftest import _finished, finished

__all__ = ["_finished", "finished"]
