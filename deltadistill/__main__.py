"""Runs the console script as `python -m deltadistill`."""

from deltadistill.command.main import script

if __name__ == "__main__":
    script()
