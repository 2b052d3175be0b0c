"""Writes the project files of a sweep from sweeps/NAME.yaml; one that says the same already is left alone."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from deltadistill.files import atomic
from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import params as parameters
from deltadistill.pipeline.code_of_stages import write_code
from deltadistill.pipeline.params import ParameterSweep
from deltadistill.pipeline.results.variants import Variant, variants_of

from .project import CODE, PARAMS, Project, projects, rows_beside, rows_of_setting
from .settings import Part, Setting, settings_of

FOLDER = Path("sweeps")
GRAPH = Path("dvc.yaml")
LAST = Path(__file__).with_name("compare_settings.yaml")
PROJECT = "dvc.yaml"
HEAD = "# Written from sweeps/{}.yaml by `python -m workflow.sweep`: a change here is lost.\n"


def write(name: str) -> list[Path]:
    """Write the sweep called `name` and return its project files; ValueError before anything is written.

    Settings that are no longer listed lose their project file; their dvc.lock, results and networks stay, and
    are up to date should the setting come back.
    """
    sweep = parameters.load_sweep(FOLDER / f"{name}.yaml")
    settings = settings_of(sweep, _values_under(sweep), name=name)
    written = list(projects(name, sweep, settings, _stages(GRAPH), _yaml().load(LAST)))
    head = HEAD.format(name)
    for project in written:
        if project.params:
            _put(project.folder / PARAMS, head + _dumped(project.params))
        params = parameters.parse(project.params or settings[0].params, source=str(project.folder))
        write_code(params, project.folder / CODE, only={stage.split("-")[0] for stage in project.stages})
        _put(project.folder / PROJECT, head + _dumped({"stages": project.stages}))
    _put(FOLDER / name / "settings.json", json.dumps(_listing(name, sweep, settings), indent=1) + "\n")
    _remove_others(name, written)
    return [project.folder / PROJECT for project in written]


def resources(name: str) -> dict[str, Any]:
    """What the parameters that the sweep called `name` starts from say under `resources`."""
    return _values_under(parameters.load_sweep(FOLDER / f"{name}.yaml"))["resources"]


def _values_under(sweep: ParameterSweep) -> dict[str, Any]:
    return overlay.values_under(Path(overlay.FOLDER, f"{sweep.base}.yaml") if sweep.base else None)


def _listing(name: str, sweep: ParameterSweep, settings: Iterable[Setting]) -> dict[str, Any]:
    """What the comparison has to know: all settings, their values, and what was measured where."""
    settings = list(settings)
    teachers = {setting.teacher.name: setting for setting in settings}
    return {
        "sweep": name,
        "seeds": sweep.seeds,
        "keys": sweep.keys,
        "colour": sweep.colour or sweep.keys[0],
        "settings": [
            {
                "name": setting.name,
                "values": setting.values,
                "dataset": setting.dataset.name,
                "teacher": setting.teacher.name,
                "rows": _rows(setting, rows_of_setting(sweep, setting)),
            }
            for setting in settings
        ],
        "teachers": [
            {
                "name": name,
                "dataset": setting.dataset.name,
                "values": setting.teacher.values,
                "rows": _rows(setting.teacher, rows_beside(sweep, setting.teacher)),
            }
            for name, setting in teachers.items()
        ],
    }


def _rows(part: Part, names: Iterable[str]) -> dict[str, Any]:
    params = parameters.parse(part.params, source=part.name)
    shown = variants_of(params)
    return {name: {"network": params.variants[name].network} | _known(shown[name]) for name in names}


def _known(variant: Variant) -> dict[str, Any]:
    return {key: value for key, value in asdict(variant).items() if value is not None}


def _stages(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file in {Path.cwd()}; run from the project's folder")
    return _yaml().load(path)["stages"]


def _remove_others(name: str, written: Iterable[Project]) -> None:
    kept = {project.folder for project in written}
    for path in (FOLDER / name).glob(f"*/*/{PROJECT}"):
        if path.parent not in kept:
            path.unlink()


def _put(path: Path, text: str) -> None:
    if path.is_file() and path.read_text() == text:
        return
    with atomic.file(path) as beside:
        beside.write_text(text)


def _yaml() -> YAML:
    """Plain values without comments, read and written by the fast parser."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 4096
    return yaml


def _dumped(content: Any) -> str:
    stream = StringIO()
    _yaml().dump(content, stream)
    return stream.getvalue()
