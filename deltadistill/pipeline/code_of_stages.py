"""Which code each stage runs: what its script imports, and the entries that its parameters name.

A stage's script lies in stages/, that of an extension in extensions/code/.

One small file per stage, and per variant where the variant decides, says it: path and digest of every source
file. In dvc.yaml a stage depends on its file and on no code, so that modules stand where the ideas put them,
and a predictor that is added makes only those stages stale that use it.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from deltadistill.data.dataset_info import task_of_kind
from deltadistill.files import atomic
from deltadistill.models import sources
from deltadistill.pipeline.imported_files import file_of, files_behind
from deltadistill.pipeline.params import Params
from deltadistill.pipeline.params.experiment import Model
from deltadistill.pipeline.params.named import named_entries, named_in
from deltadistill.pipeline.params.section import Section
from deltadistill.pipeline.stage_names import EXTENSIONS
from deltadistill.tasks.registry import TASKS

STAGES = Path("stages")
OWN_CODE = Path(EXTENSIONS, "code")
# What the stage trace_code depends on; not all of extensions/, where DVC writes a dvc.lock per dvc.yaml.
LOOKED_AT = (Path("deltadistill"), Path("examples"), OWN_CODE, Path("networks"), STAGES)
_PER_TRAINING = ("distill",)
_PER_VARIANT = ("sweep_sequence_length", "analyze_consistency", "evaluate_videos")

Digests = dict[str, str]


class _Task(Section):
    name: named_in(TASKS)


def code_of_stages(
    params: Params, root: Path = Path(), *, only: Collection[str] | None = None
) -> dict[str, Digests]:
    """Digests of the source files of every stage by path, by the name of the file that is to hold them.

    only: names of the stages; None: all.
    Raises ValueError for what the parameters name in this project, and outside the folders of which a change
    is seen.
    """
    return {
        name: _digests(script, sections, root)
        for name, script, sections in _files(params, root)
        if only is None or (script.parent == STAGES and script.stem in only)
    }


def write_code(params: Params, folder: Path, *, only: Collection[str] | None = None) -> None:
    """Write the files below `folder`; one that says the same already is left alone, others go."""
    wanted = {folder / name: text_of(digests) for name, digests in code_of_stages(params, only=only).items()}
    for path, text in wanted.items():
        if not path.is_file() or path.read_text() != text:
            with atomic.file(path) as unfinished:
                unfinished.write_text(text)
    for path in set(folder.rglob("*.json")) - set(wanted):
        path.unlink()


def text_of(digests: Digests) -> str:
    """The content of a stage's file."""
    return json.dumps(digests, indent=1, sort_keys=True) + "\n"


def _files(params: Params, root: Path) -> Iterator[tuple[str, Path, list[Section]]]:
    """File name, script, and the parameters that name what the stage uses."""
    for script in sorted((root / STAGES).glob("*.py")):
        stage, path = script.stem, script.relative_to(root)
        if stage in _PER_TRAINING:
            for training in params.distill.trainings:
                own = [params.distill.of_training(training), *_further_networks(params, [training])]
                yield f"{stage}/{training}.json", path, [_task(params), params.model, *own]
        elif stage in _PER_VARIANT:
            of_videos = stage == "evaluate_videos"
            schedules = [params.evaluate_videos] if of_videos else []
            for variant in params.evaluate_videos.variants if of_videos else params.variants:
                yield f"{stage}/{variant}.json", path, _of_variant(params, variant) + schedules
        else:
            yield f"{stage}.json", path, _SECTIONS.get(stage, _all)(params)
    for script in sorted((root / OWN_CODE).glob("[a-z]*.py")):
        yield f"{EXTENSIONS}/{script.stem}.json", script.relative_to(root), _all(params)


def _of_variant(params: Params, variant: str) -> list[Section]:
    """What decides the code of a variant's evaluation: how it predicts, and what its networks are made of."""
    entry = params.variants[variant]
    networks = (entry.network, *entry.networks.values())
    trained = dict.fromkeys(filter(None, (name.partition("/")[2] for name in networks)))
    students = [params.distill.of_training(name).students for name in trained]
    return [_task(params), params.model, entry, *students, *_further_networks(params, trained)]


def _further_networks(params: Params, trainings: Iterable[str]) -> list[Section]:
    """The networks of trainings that train another one than the teacher's."""
    named = (params.distill.trainings[name].model for name in trainings)
    return [Model(name=name, options={}) for name in named if name is not None]


def _task(params: Params) -> _Task:
    """What is predicted: named by the parameters, or by the description that a kind of data set gets."""
    return _Task(name=params.task or task_of_kind(params.prepare_dataset.kind))


def _all(params: Params) -> list[Section]:
    trainings = params.distill.trainings
    own = [params.distill.of_training(name) for name in trainings]
    return [params, _task(params), *own, *_further_networks(params, trainings)]


# Which sections name what a stage uses; those of a stage that is not listed: any.
_SECTIONS = {
    "prepare_dataset": lambda params: [params.prepare_dataset],
    "pretrain_teacher": lambda params: [_task(params), params.model, params.pretrain_teacher],
    "profile_macs": lambda params: [params.model, params.distill.students],
    "collect_networks": lambda params: [],
    "write_report": lambda params: [] if _task(params).name in TASKS else [_task(params)],
    "compare_settings": lambda params: [],
    "trace_code": lambda params: [],
}


def _digests(script: Path, sections: Iterable[Section], root: Path) -> Digests:
    files = set(files_behind(script, root))
    for source in {source for section in sections for source in _named(section, root)}:
        files |= files_behind(source, root) if source.suffix == ".py" else {source}
    return {path.as_posix(): _digest(root / path) for path in files}


def _named(section: Section, root: Path) -> Iterator[Path]:
    """The files of this project that hold what a section names."""
    for path in named_entries(section):
        yield from _of_module(path.partition(":")[0], root)
    for model in (section.model if isinstance(section, Params) else section,):
        if isinstance(model, Model):
            yield from _network(model.name, root)


def _network(name: str, root: Path) -> Iterator[Path]:
    for module in sources.modules_behind(name):
        yield from _of_module(module, root)
    file = sources.file_behind(name)
    if file is not None and (root / file).is_file():
        yield _seen(file, root)


def _of_module(module: str, root: Path) -> Iterator[Path]:
    """The file of a module; none of a package that is installed."""
    if file := file_of(module, root):
        yield _seen(file, root)


def _seen(file: Path, root: Path) -> Path:
    """The file relative to the root; ValueError where a change of it would go unseen."""
    inside = (root / file).resolve().relative_to(root.resolve()) if _is_inside(file, root) else file
    if not any(inside.is_relative_to(folder) for folder in LOOKED_AT):
        raise ValueError(
            f"{file}: the parameters name it, and no change of it would make a stage stale; move it into "
            f"{OWN_CODE}/ and name it from there (a module: {EXTENSIONS}.{OWN_CODE.name}.{file.stem})"
        )
    return inside


def _is_inside(file: Path, root: Path) -> bool:
    return (root / file).resolve().is_relative_to(root.resolve())


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def require_noted_code(noted: Path) -> None:
    """Raise ValueError where source files are no longer as a stage's file says, which was written before."""
    wrong = [path for path, digest in _read(noted).items() if not _is_as_noted(Path(path), digest)]
    if wrong:
        raise ValueError(
            f"{', '.join(sorted(wrong)[:3])}{' …' if len(wrong) > 3 else ''}: not as {noted} says, which was "
            "noted before; run the pipeline again, which begins with noting the code (stage trace_code)"
        )


def _read(noted: Path) -> Digests:
    try:
        return json.loads(noted.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{noted}: cannot be read ({error}); make it by `dvc repro trace_code`") from None


def _is_as_noted(path: Path, digest: str) -> bool:
    return path.is_file() and _digest(path) == digest
