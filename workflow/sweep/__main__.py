"""Writes the DVC project files of a sweep: python -m workflow.sweep NAME (sweeps/NAME.yaml)."""

import argparse
import sys

from .write import write


def main() -> int:
    """Write the sweep that the command line names and say how it is run."""
    parser = argparse.ArgumentParser(prog="python -m workflow.sweep", description=__doc__)
    parser.add_argument("name", help="of a file in sweeps/, without its ending")
    name = parser.parse_args().name
    try:
        files = write(name)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"sweeps/{name}/: {len(files)} project files; run them by")
    print(f"  snakemake --config sweep={name}    side by side")
    print(f"  dvc repro sweeps/{name}/dvc.yaml   one after the other")
    return 0


if __name__ == "__main__":
    sys.exit(main())
