"""Writes a runner's graphs in a format of other programs, with a file that says how they are called."""

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deltadistill.command.exits import OutputError, UsageError
from deltadistill.files import atomic
from deltadistill.runtime.runner_file import LEARNER, Description, GraphFile, read_description
from deltadistill.runtime.tensor_form import TensorForm

INTERFACE = "interface.json"
_ROLES = {
    "frame": "the per-frame network: outputs of any frame",
    "key": "a key frame: outputs, and the maps that later frames start from",
    "delta": "a later frame: outputs, from the frame and the maps of its key frame, which stay as they are",
}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line asks for; return what is in the folder, as `interface.json` has it."""
    source = Path(arguments.runner).expanduser()
    target = Path(arguments.output or _beside(source, arguments.format)).expanduser()
    _require_a_place(target, source)
    description = read_description(source)
    _require_nobody_learns(source)
    graphs = _graphs(description, arguments.format, arguments.precision, source)
    write = {"onnx": _copied, "openvino": _as_openvino, "pt2": _copied}[arguments.format]
    _require_packages(arguments.format, source)
    with _writing(target), atomic.folder(target) as unfinished:
        files = {name: write(source / graph.file, unfinished / name) for name, graph in graphs.items()}
        interface = _interface(description, files, arguments)
        (unfinished / INTERFACE).write_text(json.dumps(interface, indent=2, ensure_ascii=False) + "\n")
    if not arguments.json:
        print(f"{', '.join(files.values())} and {INTERFACE} in {target}")
    return {"folder": str(target), **interface}


def _require_nobody_learns(source: Path) -> None:
    if (source / LEARNER).exists():
        raise ValueError(
            f"{source}: this runner learns while it runs, which no graph does; dd.export writes the "
            "per-frame network alone"
        )


def _beside(source: Path, name: str) -> Path:
    """The folder of a format beside a runner's, which may be the folder that we are in."""
    whole = source.absolute()
    return whole.with_name(f"{whole.name}-{name}")


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}; name another") from error


def _graphs(description: Description, name: str, precision: str, source: Path) -> Mapping[str, GraphFile]:
    """The files of the functions, by name; ValueError, which says what writes them, where there are none."""
    if name == "pt2":
        if precision != "fp32":
            raise UsageError("--format pt2 is of fp32; leave --precision out")
        if not description.packages:
            raise ValueError(
                f"{source} keeps no packages of PyTorch, and none can be made of its ONNX files; write the "
                "runner again from its network: dd.export(network, folder, example=…, packages=True)"
            )
        return description.packages
    if precision == "int8" and not description.int8:
        raise ValueError(
            f"{source} keeps no graphs in 8 bits; write the runner again from its network and frames of its "
            "video: dd.export(network, folder, example=…, calibration=frames)"
        )
    return description.int8 if precision == "int8" else description.graphs


def _copied(source: Path, target: Path) -> str:
    name = target.name + source.suffix
    shutil.copyfile(source, target.with_name(name))
    return name


def _as_openvino(source: Path, target: Path) -> str:
    import openvino

    try:
        model = openvino.convert_model(source)
    except RuntimeError as error:
        raise ValueError(f"OpenVINO cannot read {source}: {str(error).strip()[:500]}") from None
    openvino.save_model(model, target.with_name(f"{target.name}.xml"), compress_to_fp16=False)
    return f"{target.name}.xml"


def _interface(
    description: Description, files: Mapping[str, str], arguments: argparse.Namespace
) -> dict[str, Any]:
    """How the files are called: what each takes and returns, how pictures go in, when key frames come."""
    frame, outputs, maps = ([description.frame], description.outputs, description.maps)
    takes = {"frame": frame, "key": frame, "delta": [*frame, *maps]}
    returns = {"frame": outputs, "key": [*outputs, *maps], "delta": outputs}
    return {
        "format": arguments.format,
        "precision": arguments.precision,
        "schedule": description.schedule.model_dump(),
        "between": description.between.model_dump(),
        **({"motion": description.motion.model_dump()} if description.motion else {}),
        "pictures": description.pictures.model_dump() if description.pictures else None,
        "functions": {
            name: {
                "file": file,
                "is": _ROLES[name],
                "takes": _forms(takes[name]),
                "returns": _forms(returns[name]),
            }
            for name, file in files.items()
        },
        "made_by": description.made_by,
    }


def _forms(forms: list[TensorForm]) -> list[dict[str, Any]]:
    return [form.model_dump() for form in forms]


def _require_packages(name: str, source: Path) -> None:
    if name == "openvino" and find_spec("openvino") is None:
        raise ValueError(
            f"{source} becomes files of OpenVINO by openvino, which is not installed; pip install "
            "'deltadistill[openvino]', or --format onnx"
        )


def _require_a_place(target: Path, source: Path) -> None:
    """What is there must be an export's folder or empty, since it is replaced."""
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; name a folder")
    if target.is_dir() and any(target.iterdir()) and not (target / INTERFACE).is_file():
        raise UsageError(f"{target} is there and is no export; name a folder that may be replaced")
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{target} lies in the runner's folder; name another")
