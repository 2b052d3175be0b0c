"""The commands of the console script, by name."""

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
