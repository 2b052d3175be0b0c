"""The command-line arguments of stages: paths, and which variant and seed a run is of."""

import argparse
from pathlib import Path


def parse(description: str, **helps: str) -> argparse.Namespace:
    """Parse the command line of a stage; `--help` shows `description` and what each argument is.

    helps: by name, what the argument is, "_" for "-". All are paths and required, but for `variant`, a
        name, and `seed`, a number (0 where it is not given). Every stage has `params`, the parameter file.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameter file")
    for name, text in helps.items():
        option = f"--{name.replace('_', '-')}"
        if name == "seed":
            parser.add_argument(option, type=int, default=0, help=text)
        else:
            parser.add_argument(option, type=str if name == "variant" else Path, required=True, help=text)
    return parser.parse_args()
