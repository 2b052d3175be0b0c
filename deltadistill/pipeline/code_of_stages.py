"""Which code each stage runs: what its script imports, and the entries that its parameters name.

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
from deltadistill.models.registry import MODELS
from deltadistill.pipeline.imported_files import file_of, files_behind
from deltadistill.pipeline.params import Params
from deltadistill.pipeline.params.experiment import Model
from deltadistill.pipeline.params.named import named_entries, named_in
from deltadistill.pipeline.params.section import Section
from deltadistill.tasks.registry import TASKS

STAGES = Path("stages")
_OWN_NETWORKS = Path("networks")
_PER_TRAINING = ("distill",)
_PER_VARIANT = ("sweep_sequence_length", "analyze_consistency")

Digests = dict[str, str]


class _Task(Section):
    name: named_in(TASKS)


def code_of_stages(
    params: Params, root: Path = Path(), *, only: Collection[str] | None = None
) -> dict[str, Digests]:
    """Digests of the source files of every stage by path, by the name of the file that is to hold them.

    only: names of the stages; None: all.
    """
    return {
        name: _digests(script, sections, root)
        for name, script, sections in _files(params, root)
        if only is None or script.stem in only
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
            for training in params.distill.variants:
                yield (
                    f"{stage}/{training}.json",
                    path,
                    [_task(params), params.model, params.distill.of_variant(training)],
                )
        elif stage in _PER_VARIANT:
            for variant in params.variants:
                yield f"{stage}/{variant}.json", path, _of_variant(params, variant)
        else:
            yield f"{stage}.json", path, _SECTIONS.get(stage, _all)(params)


def _of_variant(params: Params, variant: str) -> list[Section]:
    """What decides the code of a variant's evaluation: how it predicts, and what its networks are made of."""
    entry = params.variants[variant]
    trained = entry.network.partition("/")[2]
    students = [params.distill.of_variant(trained).students] if trained else []
    return [_task(params), params.model, entry, *students]


def _task(params: Params) -> _Task:
    """What is predicted: named by the parameters, or by the description that a kind of data set gets."""
    return _Task(name=params.task or task_of_kind(params.prepare_dataset.kind))


def _all(params: Params) -> list[Section]:
    return [params, _task(params), *(params.distill.of_variant(name) for name in params.distill.variants)]


# Which sections name what a stage uses; those of a stage that is not listed: any.
_SECTIONS = {
    "prepare_dataset": lambda params: [params.prepare_dataset],
    "pretrain_teacher": lambda params: [_task(params), params.model, params.pretrain_teacher],
    "profile_macs": lambda params: [params.model, params.distill.students],
    "collect_networks": lambda params: [],
    "write_report": lambda params: [],
    "compare_settings": lambda params: [],
    "trace_code": lambda params: [],
}


def _digests(script: Path, sections: Iterable[Section], root: Path) -> Digests:
    files = set(files_behind(script, root))
    for source in {source for section in sections for source in _named(section, root)}:
        files |= files_behind(source, root)
    return {path.as_posix(): _digest(root / path) for path in files}


def _named(section: Section, root: Path) -> Iterator[Path]:
    """The source files of this project that hold what a section names."""
    paths = [path.partition(":")[0] for path in named_entries(section)]
    yield from filter(None, (file_of(path, root) for path in paths))
    for model in (section.model if isinstance(section, Params) else section,):
        if isinstance(model, Model):
            yield from _network(model.name, root)


def _network(name: str, root: Path) -> Iterator[Path]:
    own = _OWN_NETWORKS / f"{name}.py"
    if name in MODELS:
        yield file_of(MODELS.path(name).partition(":")[0], root)
    elif (root / own).is_file():
        yield own


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
