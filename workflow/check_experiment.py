"""Before hours are spent: are data, weights, disk and memory there, and does every stage run?

    python workflow/check_experiment.py NAME        of experiments/NAME.yaml; make check EXPERIMENT=NAME

Reads the whole data set, loads the weights, estimates disk and memory, and runs two steps of every stage in
a temporary copy, at the experiment's architecture and settings. One line per check; the last says OK, or
what is missing and what to do, with exit code 1. Nothing in the project's folder is changed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from check import looks, trial
from check.estimates import sizes
from check.findings import Finding, conclusion
from check.trial_parameters import trial_parameters
from ruamel.yaml import YAML
from smoke import copy_working_tree

from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import params
from deltadistill.pipeline.params import NO_WEIGHTS, OWN_WEIGHTS, Params


def main() -> int:
    """Check the experiment that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="of a file in experiments/, without its ending")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value, such as prepare_dataset.cityscapes.root=/data/cityscapes",
    )
    arguments = parser.parse_args()
    os.chdir(looks.ROOT)
    try:
        values = experiment_values(arguments.name, arguments.set)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    findings = []
    for finding in check(arguments.name, values):
        print(finding, flush=True)
        findings.append(finding)
    print(conclusion(findings))
    return int(not all(finding.is_fine for finding in findings))


def experiment_values(name: str, changes: list[str]) -> dict[str, Any]:
    """The content of params.yaml under an experiment; ValueError for what is no experiment or not valid."""
    path = overlay.FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in overlay.FOLDER.glob("*.yaml")))
        raise ValueError(f"{path}: no such experiment; there are: {known}")
    values = overlay.values_under(path, changes)
    params.parse(values, source=f"params.yaml with {path}")
    return values


def check(name: str, values: dict[str, Any]) -> Iterator[Finding]:
    """All checks of an experiment with these values, one after the other."""
    parsed = params.parse(values)
    with tempfile.TemporaryDirectory(prefix="deltadistill-check-") as folder:
        copy = Path(folder, "copy")
        copy_working_tree(copy, f"experiments/{name}.yaml")
        written = Path(folder, "params.yaml")
        _write(written, values)
        yield (parameters := looks.look_at_parameters(written))
        found, manifest = looks.look_at_data(parsed, Path(folder, "data"))
        yield found
        if not parameters.is_fine or manifest is None:
            return
        classes = len(manifest.info.classes)
        yield (weights := looks.look_at_weights(parsed, classes))
        yield from looks.look_at_labeller(parsed)
        counted = sizes(parsed, classes)
        yield looks.look_at_disk(parsed, counted, manifest)
        yield from looks.look_at_memory(parsed, counted)
        small, said = trial_parameters(
            values, start_from=_start(parsed, weights), gpus=torch.cuda.device_count()
        )
        small["label_frames"]["network"] = str(Path(parsed.label_frames.network).absolute())
        try:
            trial.prepare(copy, small, manifest)
        except ValueError as error:
            yield Finding("stages", "not run", "clips to run them on", str(error))
            return
        yield from trial.run(copy, said)


def _start(parsed: Params, weights: Finding) -> str | None:
    start = parsed.pretrain_teacher.start_from
    if start == NO_WEIGHTS or not weights.is_fine:
        return None
    if start == OWN_WEIGHTS:
        return start
    return str(Path(start).absolute())


def _write(path: Path, values: dict[str, Any]) -> None:
    with path.open("w") as file:
        YAML(typ="safe").dump(values, file)


if __name__ == "__main__":
    sys.exit(main())
