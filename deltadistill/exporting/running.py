"""A network in this process, run by any engine: tensors in, the network's own outputs out."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.exporting.functions import DeltaFunctions, Run, delta_functions
from deltadistill.exporting.joined_maps import join_maps
from deltadistill.exporting.onnx_graphs import FRAME, Axes, write_graphs
from deltadistill.motion.cells import CellMotion
from deltadistill.runtime.engine import Maps, Session, engines_for, open_session
from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.picture_form import PictureForm
from deltadistill.runtime.structure import rebuild
from deltadistill.runtime.tensor_form import TensorForm


class Loaded:
    """A network's functions and files of them, for engines to open; a context manager that removes the files.

    functions: see `delta_functions`. Weights that change after `load` are not seen.
    """

    def __init__(self, functions: DeltaFunctions):
        self.functions = functions
        with ExitStack() as until_written:
            folder = until_written.enter_context(TemporaryDirectory(prefix="deltadistill-"))
            self.graphs = graphs_of(functions, Path(folder))
            self._stack = until_written.pop_all()

    def __enter__(self) -> "Loaded":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def engines(self, *, precision: str = "fp32", device: str = "cpu") -> list[str]:
        """Names of the engines that can run the network here."""
        return engines_for(self.graphs, precision=precision, device=device)[0]

    def running(
        self,
        engine: str,
        *,
        threads: int | None = None,
        precision: str = "fp32",
        device: str = "cpu",
        moved: Collection[str] = (),
    ) -> "Running":
        """The network made ready by an engine; `engine.open_session` says what may be given, and errors.

        moved: names of maps that are moved along with the picture (moved_maps.py: movable_maps).
        """
        graphs = replace(self.graphs, moved=frozenset(moved)) if moved else self.graphs
        session = open_session(graphs, engine, threads=threads, precision=precision, device=device)
        return Running(session, self.functions)


def load(
    network: nn.Module, example: Tensor, *, run: Run | None = None, pictures: PictureForm | None = None
) -> Loaded:
    """Make a network's functions and ONNX files (see `delta_functions` for what may be given, and errors)."""
    return Loaded(delta_functions(network, example, run=run, pictures=pictures))


class Running:
    """A network made ready by an engine for frames of the example's form; no state."""

    def __init__(self, session: Session, functions: DeltaFunctions):
        self._session = session
        self._functions = functions

    def frame(self, frame: Tensor) -> Any:
        """Outputs of a frame by the per-frame network, in the form in which it returns them."""
        return self._rebuilt(self._session.frame(_array(frame)))

    def key(self, frame: Tensor, *, into: Maps | None = None) -> tuple[Any, Maps]:
        """Outputs of a key frame, and the maps for later ones. into: maps that nobody needs any longer."""
        outputs, maps = self._session.key(_array(frame), into=into)
        return self._rebuilt(outputs), maps

    def delta(self, frame: Tensor, maps: Maps, motions: Sequence[CellMotion] = ()) -> Any:
        """Outputs of a later frame, from the maps of its key frame; motions: as of `Session.delta`."""
        return self._rebuilt(self._session.delta(_array(frame), maps, *([motions] if motions else [])))

    def _rebuilt(self, outputs: Sequence[Any]) -> Any:
        tensors = [torch.as_tensor(output) for output in outputs]
        return rebuild(self._functions.structure, tensors)


def _array(frame: Tensor) -> Any:
    return frame.detach().numpy() if frame.device.type == "cpu" else frame


def graphs_of(
    functions: DeltaFunctions,
    folder: Path,
    *,
    axes: Mapping[str, Axes] | None = None,
    moved: Collection[str] = (),
) -> Graphs:
    """Write the functions' ONNX files into a folder, and describe them; maps that are only added are one.

    axes: that may have other sizes, by tensor (see `write_graphs`). moved: names of maps that will be moved.
    """
    forms = forms_of(functions, axes=axes)
    paths = write_graphs(functions, folder, axes=axes)
    kept = join_maps(paths["key"], paths["delta"], functions.maps, moved=moved)
    return Graphs(
        frame=forms["frame"],
        outputs=forms["outputs"],
        maps=tuple(form for form in forms["maps"] if form.name in kept),
        joined=kept,
        moved=frozenset(name for name in kept if name in moved),
        onnx=paths,
        functions={"frame": functions.frame, "key": functions.key, "delta": functions.delta},
        sizes=_sizes(functions, axes or {}),
    )


@torch.no_grad()
def forms_of(functions: DeltaFunctions, *, axes: Mapping[str, Axes] | None = None) -> dict[str, Any]:
    """Forms of what the functions take and return, by their name in `Graphs`."""
    axes = axes or {}
    outputs = functions.frame(functions.example)
    return {
        "frame": _form(FRAME, functions.example, axes),
        "outputs": tuple(_form(*each, axes) for each in zip(functions.outputs, outputs, strict=True)),
        "maps": tuple(_form(name, each, axes) for name, each in functions.maps.items()),
    }


def _form(name: str, tensor: Tensor, axes: Mapping[str, Axes]) -> TensorForm:
    shape: list[int | str] = list(tensor.shape)
    for axis, changing in axes.get(name, {}).items():
        shape[axis] = changing
    return TensorForm(name=name, shape=shape, dtype=str(tensor.dtype).removeprefix("torch."))


def _sizes(functions: DeltaFunctions, axes: Mapping[str, Axes]) -> dict[str, int]:
    """What the axes of any size have in the example, by their names; of outputs it is not needed."""
    tensors = {FRAME: functions.example, **functions.maps}
    return {name: tensors[each].shape[axis] for each in tensors for axis, name in axes.get(each, {}).items()}
