"""The commands of the console script, by name."""

from deltadistill.registry import Registry

COMMANDS = Registry(
    "command",
    {
        "inspect": "deltadistill.command.inspect:COMMAND",
        "run": "deltadistill.command.run:COMMAND",
        "bench": "deltadistill.command.bench:COMMAND",
    },
)
