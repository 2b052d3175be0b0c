"""Writing a runner: a folder of graphs, with a description that people read and `dd.Runner` runs."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from torch import Tensor, nn

from deltadistill.blocks.schedules import Adaptive, FixedPeriod, KeySchedule
from deltadistill.exporting import any_size as any_size_axes
from deltadistill.exporting.functions import DeltaFunctions, Run, delta_functions
from deltadistill.exporting.int8_graphs import write_int8
from deltadistill.exporting.moved_maps import moved_maps, with_moved_rules
from deltadistill.exporting.packages import write_packages
from deltadistill.exporting.running import Loaded, graphs_of
from deltadistill.files import atomic
from deltadistill.runtime import runner_file
from deltadistill.runtime.between import DELTA, Between
from deltadistill.runtime.engine import open_session
from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.map_motion import MapMotion, MovedMaps
from deltadistill.runtime.picture_form import PictureForm
from deltadistill.runtime.runner_file import FUNCTIONS, AdaptiveSchedule, Description, GraphFile, Schedule
from deltadistill.runtime.versions import installed_versions


def export(
    network: nn.Module,
    folder: str | Path,
    *,
    example: Tensor,
    period: int = 10,
    schedule: KeySchedule | None = None,
    run: Run | None = None,
    pictures: PictureForm | None = None,
    any_batch: bool = False,
    any_size: bool = False,
    calibration: Sequence[Tensor] | None = None,
    packages: bool = False,
    between: Between = DELTA,
    motion: MapMotion | None = None,
) -> DeltaFunctions:
    """Write a delta network as a runner, which `dd.Runner(folder)` runs without PyTorch.

    network: deployed or not, in evaluation mode; of a network without blocks every frame is computed in full.
        Graphs that the runner never runs are left out: all but the per-frame network's where frames between
        key frames are not computed, or are computed as key frames are.
    folder: replaced as a whole where it is there; nothing is left behind by an error.
    example: a frame (N, C, H, W) as the network takes it, or with `pictures` one (N, H, W, 3) of uint8.
    period: every so many frames there is a key frame. schedule: an `Adaptive` one (blocks/schedules.py), by
        which key frames come where the picture has changed; `period` is then what to expect of it, by which
        an engine is chosen.
    run: how the network is run on frames, where not just called. pictures: how pictures become its frames.
    any_batch: the runner takes any number of frames side by side, not the example's alone.
    any_size: the runner takes frames of any height and width that the network takes, not the example's alone.
    calibration: frames of a video in order, each like the example: also write graphs in 8 bits, for
        precision "int8", whose ranges are those that these frames have (int8_graphs.py).
    packages: also compile for this machine ahead of time, for the engine "package" (minutes).
    between: how frames between key frames are answered, where not by the delta graph (runtime/between.py).
    motion: how what compressed linear students keep is moved along with the picture before each delta frame
        (runtime/map_motion.py), as `moved_stream` does; with `pictures`. None: it stays where it is.
    Raises ExportError for an operator that has no form in a graph, or none for frames of any size; ValueError
    for a network in training mode, for outputs that are no tensors, for any_size beside one size, and for a
    schedule that a folder cannot say.
    """
    said = _said(schedule, period)
    if any_size:
        _require_no_other_size(pictures=pictures is not None, packages=packages)
    _require_that_maps_can_move(motion, between, packages=packages)
    network = with_moved_rules(network, motion)
    functions = delta_functions(network, example, run=run, pictures=pictures)
    moved = moved_maps(functions, motion, pictures)
    with atomic.folder(Path(folder)) as unfinished:
        graphs = _open_graphs(functions, unfinished, any_batch=any_batch, any_size=any_size, moved=moved)
        _require_that_it_runs(graphs, functions)
        narrow = {}
        if calibration is not None:
            frames = [frame.numpy() for frame in calibration]
            narrow = write_int8(graphs, frames, unfinished, period=period)
        written = write_packages(functions, unfinished, _run(functions, between)) if packages else {}
        _describe(
            unfinished, graphs, functions, pictures,
            schedule=said, between=between, motion=motion, int8=narrow, packages=written,
        )  # fmt: skip
    return functions


def export_loaded(
    loaded: Loaded,
    folder: str | Path,
    *,
    period: int = 10,
    schedule: KeySchedule | None = None,
    pictures: PictureForm | None = None,
    between: Between = DELTA,
) -> None:
    """Write what `load` made ready as a runner, without tracing it again; graphs in 8 bits where it has them.

    folder, period, schedule, between: as of `export`. pictures: those that `load` was given.
    """
    names, said = _run(loaded.functions, between), _said(schedule, period)
    with atomic.folder(Path(folder)) as unfinished:
        onnx, int8 = (_copies(paths, unfinished, names) for paths in (loaded.graphs.onnx, loaded.graphs.int8))
        graphs = replace(loaded.graphs, onnx=onnx)
        _describe(unfinished, graphs, loaded.functions, pictures, schedule=said, between=between, int8=int8)


def _copies(paths: Mapping[str, Path], folder: Path, names: Sequence[str]) -> dict[str, Path]:
    wanted = {name: path for name, path in paths.items() if name in names}
    return {name: Path(shutil.copyfile(path, folder / path.name)) for name, path in wanted.items()}


def _run(functions: DeltaFunctions, between: Between) -> Sequence[str]:
    """Names of the functions that a runner runs."""
    return ("frame",) if functions.is_plain or between.computes_keys_alone else FUNCTIONS


def _kept(paths: Mapping[str, Path], names: Sequence[str]) -> dict[str, Path]:
    """The files of these functions; the others are deleted."""
    for name in set(paths) - set(names):
        paths[name].unlink()
    return {name: path for name, path in paths.items() if name in names}


def _describe(
    folder: Path,
    graphs: Graphs,
    functions: DeltaFunctions,
    pictures: PictureForm | None,
    *,
    schedule: Schedule,
    between: Between = DELTA,
    motion: MapMotion | None = None,
    int8: Mapping[str, Path] | None = None,
    packages: Mapping[str, Path] | None = None,
) -> None:
    """Write runner.json beside the graphs that the runner runs, and delete the others."""
    names = _run(functions, between)
    narrow = _kept(int8 or {}, names)
    description = Description(
        format=runner_file.FORMAT,
        frame=graphs.frame,
        pictures=None if pictures is None else runner_file.Pictures(**asdict(pictures)),
        outputs=list(graphs.outputs),
        structure=dict(functions.structure),
        maps=list(graphs.maps) if "key" in names else [],
        schedule=schedule,
        between=between,
        motion=motion and MovedMaps(**motion.model_dump(), maps=sorted(graphs.moved)),
        graphs=_files(_kept(graphs.onnx, names)),
        int8=_files(narrow),
        packages=_files(packages or {}),
        sizes=dict(graphs.sizes),
        made_by=installed_versions(),
    )
    (folder / runner_file.NAME).write_text(description.model_dump_json(indent=2) + "\n")


def _said(schedule: KeySchedule | None, period: int) -> Schedule:
    """A schedule as runner.json has it."""
    if schedule is None:
        return Schedule(period=period)
    if type(schedule) is FixedPeriod:
        return Schedule(period=schedule.period)
    if type(schedule) is not Adaptive:
        raise ValueError(
            f"runner.json has a form for Adaptive and FixedPeriod, and none for {type(schedule).__name__}; "
            "give that where the runner is opened: dd.Runner(folder, schedule=…)"
        )
    adaptive = AdaptiveSchedule(threshold=schedule.threshold, longest=schedule.longest)
    return Schedule(period=period, adaptive=adaptive)


def _require_no_other_size(**given: bool) -> None:
    if fixed := [name for name, is_given in given.items() if is_given]:
        raise ValueError(
            f"any_size and {' and '.join(fixed)} are given, which are for one size; leave one of them out"
        )


def _require_that_maps_can_move(motion: MapMotion | None, between: Between, *, packages: bool) -> None:
    if motion is not None and packages:
        raise ValueError("packages leave their maps where they are; leave packages or motion out")
    if motion is not None and between.computes_keys_alone:
        raise ValueError(
            "motion moves maps before delta frames, and between= has none computed; give it every=, or leave "
            "motion out"
        )


def _open_graphs(
    functions: DeltaFunctions, folder: Path, *, any_batch: bool, any_size: bool, moved: Sequence[str]
) -> Graphs:
    """Graphs with axes of any size as asked for, which are checked at another one."""
    axes = any_size_axes.batch_axes(functions) if any_batch else {}
    if not any_size:
        return graphs_of(functions, folder, axes=axes, moved=moved)
    other = any_size_axes.other_example(functions.example)
    sides = any_size_axes.size_axes(functions, other)
    axes = {name: {**axes.get(name, {}), **sides[name]} for name in sides}
    graphs = graphs_of(functions, folder, axes=axes)
    any_size_axes.require_the_same(graphs, functions, other, axes=axes)
    return graphs


def _require_that_it_runs(graphs: Graphs, functions: DeltaFunctions) -> None:
    """See that an engine takes the graphs, before they are handed to anybody."""
    session = open_session(graphs, "onnxruntime", threads=1)
    _, maps = session.key(functions.example.numpy())
    session.delta(functions.example.numpy(), maps)


def _files(paths: Mapping[str, Path]) -> dict[str, GraphFile]:
    return {
        name: GraphFile(file=path.name, sha256=runner_file.digest_of(path)) for name, path in paths.items()
    }
