"""A sweep as DVC project files: the stages of dvc.yaml, once for each data set, teacher and setting.

One small file each, because DVC reads and writes the whole of a file's dvc.lock for every stage in it: what a
stage costs then does not grow with the sweep.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltadistill.pipeline.params import ParameterSweep

from .settings import Part, Setting

Definition = Any  # a stage of dvc.yaml, or a part of it
TRAINED, PRETRAINED = "distill/", "pretrain_teacher"
EVALUATIONS = ("sweep_sequence_length", "analyze_consistency")
LATENCY = "measure_latency"
SEED = "${item.seed}"  # left for DVC to fill in
FIRST_SEED = "${seeds[0]}"
_ITEMS = ("${item.training}", "${item.variant}")
UP = "../../../.."  # from a project's folder to the root
CODE = "code"  # what is noted of the stages' code: written with the project, so that no job is needed
PARAMS = "parameters.yaml"  # DVC would read a params.yaml beside its project file once more


@dataclass(frozen=True)
class Project:
    """One project file: its folder, its stages, and the parameters that they read (None: none)."""

    folder: Path
    stages: dict[str, Definition]
    params: dict[str, Any] | None = None


def projects(
    name: str,
    sweep: ParameterSweep,
    settings: Iterable[Setting],
    root: Mapping[str, Definition],
    last: Mapping[str, Definition],
) -> Iterator[Project]:
    """The project files of the sweep called `name`.

    root: the stages of dvc.yaml. last: those of compare_settings.yaml.
    """
    settings = list(settings)
    write = _Writer(name, root)
    for of in {setting.dataset.name: setting for setting in settings}.values():
        yield write.project("data", of.dataset, of, {"prepare_dataset": None})
    for of in {setting.teacher.name: setting for setting in settings}.values():
        yield write.project("teachers", of.teacher, of, _stages_beside(sweep, of.teacher))
    for of in settings:
        yield write.project("settings", of, of, _stages_of_setting(sweep, of))
    compared = _replaced(last, {"${sweep}": name})
    yield Project(Path("sweeps", name), {stage: {"wdir": "../.."} | of for stage, of in compared.items()})


def rows_of_setting(sweep: ParameterSweep, part: Part) -> list[str]:
    """Names of `variants` that are measured for each setting: those whose network it trains."""
    trained = {f"{TRAINED}{name}" for name in sweep.trainings}
    return [name for name, row in part.params["variants"].items() if row["network"] in trained]


def rows_beside(sweep: ParameterSweep, part: Part) -> list[str]:
    """Names of `variants` that are measured once for each teacher, the teacher first."""
    wanted = ["teacher", *sweep.beside]
    return [name for name in dict.fromkeys(wanted) if name not in rows_of_setting(sweep, part)]


def _stages_beside(sweep: ParameterSweep, of: Part) -> dict[str, str | None]:
    """The stages of a teacher's project and the training or variant of each, by their names there."""
    rows = rows_beside(sweep, of)
    networks = {of.params["variants"][row]["network"] for row in rows}
    trained = sorted(network.removeprefix(TRAINED) for network in networks if network.startswith(TRAINED))
    return {"pretrain_teacher": None} | _trainings(trained) | _evaluations(rows) | {LATENCY: None}


def _stages_of_setting(sweep: ParameterSweep, of: Part) -> dict[str, str | None]:
    return _trainings(sweep.trainings) | _evaluations(rows_of_setting(sweep, of)) | {LATENCY: None}


def _with_rows(params: Mapping[str, Any], rows: Iterable[str]) -> dict[str, Any]:
    """The parameters of a project that measures these variants alone, and times them as pages show it."""
    kept = dict.fromkeys(["teacher", *rows])
    report = dict(params["write_report"])
    if "shown_as" in report:
        report["shown_as"] = {name: look for name, look in report["shown_as"].items() if name in kept}
    latency = {key: params[LATENCY][key][:1] for key in ("batches", "threads", "precisions")}
    return {
        **params,
        "variants": {name: params["variants"][name] for name in kept},
        LATENCY: {**params[LATENCY], **latency},
        "write_report": report,
    }


def _trainings(names: Iterable[str]) -> dict[str, str | None]:
    return {f"distill-{name}": name for name in names}


def _evaluations(rows: Iterable[str]) -> dict[str, str | None]:
    return {f"{stage}-{row}": row for row in rows for stage in EVALUATIONS}


class _Writer:
    """Turns stages of dvc.yaml into those of one sweep."""

    def __init__(self, sweep: str, root: Mapping[str, Definition]):
        self._sweep, self._root = sweep, root

    def project(self, kind: str, part: Part, of: Setting, stages: Mapping[str, str | None]) -> Project:
        """The project of one data set, teacher or setting; `of` is a setting that it belongs to."""
        folder = Path("sweeps", self._sweep, kind, part.name)
        found = {
            name: self._stage(name.split("-")[0], variant, folder, part, of)
            for name, variant in stages.items()
        }
        if LATENCY not in stages:
            return Project(folder, found, part.params)
        trained = [name for stage, name in stages.items() if stage.startswith("distill-")]
        found[LATENCY]["deps"] += [self._network(name, folder, part) for name in trained]
        rows = [row for stage, row in stages.items() if stage.startswith(EVALUATIONS)]
        return Project(folder, found, _with_rows(part.params, rows))

    @staticmethod
    def _network(training: str, folder: Path, part: Part) -> str:
        """The file of a training of the first seed."""
        return f"artifacts/{folder}/seed{part.params['seeds'][0]}/{TRAINED}{training}/network.pt"

    def _stage(self, stage: str, variant: str | None, folder: Path, part: Part, of: Setting) -> Definition:
        definition = dict(self._root[stage])
        matrix = (
            {"matrix": {"seed": list(part.params["seeds"])}} if "seed" in definition.pop("matrix") else {}
        )
        params = _replaced(definition.pop("params"), dict.fromkeys(_ITEMS, variant or ""))
        collected = SEED + "/networks/${item.variant}.json"  # of networks beside the variant's own
        definition["deps"] = [path for path in definition["deps"] if not path.endswith(collected)]
        definition = _replaced(definition, self._words(variant, folder, part, of))
        definition["deps"] = [each for each in dict.fromkeys(definition["deps"]) if not _is_folder(each)]
        return {"wdir": UP} | matrix | definition | {"params": [{str(folder / PARAMS): params}]}

    def _words(self, variant: str | None, folder: Path, part: Part, of: Setting) -> dict[str, str]:
        """What stands in dvc.yaml, the longest first, and what stands for it in a project of this sweep."""
        teacher = f"artifacts/sweeps/{self._sweep}/teachers/{of.teacher.name}/seed{SEED}/{PRETRAINED}"
        seed, first = "artifacts/${experiment}/seed" + SEED, str(part.params["seeds"][0])
        words = {
            "--params params.yaml": f"--params {folder / PARAMS}",
            # a sweep's data sets have no pseudo-labels (settings.py refuses them)
            "${label_frames.pretrain_teacher}": "data",
            "${label_frames.distill}": "data",
            "artifacts/${experiment}/code": str(folder / CODE),
            "data/${experiment}": f"data/sweeps/{self._sweep}/{of.dataset.name}",
            f"{seed}/{PRETRAINED}": teacher,
            f"artifacts/${{experiment}}/seed{FIRST_SEED}/{PRETRAINED}": teacher.replace(SEED, first),
            FIRST_SEED: first,
            f"{seed}/networks/teacher.pt": f"{teacher}/teacher.pt",
        }
        if variant in part.params["variants"]:
            network = part.params["variants"][variant]["network"]
            own = f"artifacts/{folder}/seed{SEED}/{network}/network.pt"
            path = f"{teacher}/teacher.pt" if network == PRETRAINED else own
            words[seed + "/networks/${item.variant}.pt"] = path
        return (
            words
            | {
                "${experiment}": str(folder),
                "${pretrain_teacher.start_from}": part.params["pretrain_teacher"]["start_from"],
            }
            | dict.fromkeys(_ITEMS, variant or "")
        )


def _is_folder(dependency: str) -> bool:
    """Whether it is the folder of all trainings, of which a project has some; their files stand for it."""
    return dependency.endswith("/distill")


def _replaced(part: Definition, words: Mapping[str, str]) -> Definition:
    """A definition with words replaced wherever they stand, in keys too; ValueError if one is left over."""
    if isinstance(part, Mapping):
        return {_replaced(key, words): _replaced(value, words) for key, value in part.items()}
    if isinstance(part, list):
        return [_replaced(value, words) for value in part]
    if not isinstance(part, str):
        return part
    for word, instead in words.items():
        part = part.replace(word, instead)
    if "${" in part.replace(SEED, ""):
        raise ValueError(f"dvc.yaml: {part!r} holds a value that no sweep knows; add it to {__name__}")
    return part
