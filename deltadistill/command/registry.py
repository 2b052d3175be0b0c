"""The commands of the console script, and the kinds of runners that they open."""

from deltadistill.registry import Registry

COMMANDS = Registry(
    "command",
    {
        "inspect": "deltadistill.command.inspect:COMMAND",
        "accelerate": "deltadistill.command.accelerate:COMMAND",
        "run": "deltadistill.command.run:COMMAND",
        "bench": "deltadistill.command.bench:COMMAND",
        "export": "deltadistill.command.export:COMMAND",
    },
)

RUNNERS = Registry(
    "runner",
    {
        "plain": "deltadistill.runtime.runner:Runner",
        "learning": "deltadistill.exporting.learning_runner:LearningRunner",  # takes PyTorch
    },
)
