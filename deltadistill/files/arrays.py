"""Arrays from .npz files: names, types and shapes are checked in the headers, before anything is unpacked."""

import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

Check = Callable[[np.dtype, tuple[int, ...]], str | None]
"""Of an array's type and shape: what is expected instead, or None where they are right."""

_VERSION = (1, 0)  # what numpy writes for plain types; later ones allow headers of 4 GiB


def read_arrays(path: Path, checks: Mapping[str, Check], *, remedy: str) -> dict[str, np.ndarray]:
    """Return the arrays named in `checks`; others in the file are passed over unread.

    Nothing is unpickled, and memory is taken for arrays only that their check lets through.
    Raises ValueError with path, fault and remedy.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return {name: _read(archive, name, check) for name, check in checks.items()}
    except KeyError as error:
        raise ValueError(f"{path} is without an array: {error.args[0]}; {remedy}") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}; {remedy}") from error
    except Exception as error:  # zipfile, its decompressors and numpy's parser raise many kinds
        raise ValueError(f"{path} is not readable as arrays: {error}; {remedy}") from error


def array_names(path: Path, *, remedy: str) -> list[str]:
    """Return the names of the arrays in a .npz file; ValueError as of `read_arrays`."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}; {remedy}") from error
    except Exception as error:  # as above
        raise ValueError(f"{path} is not readable as arrays: {error}; {remedy}") from error


def _read(archive: zipfile.ZipFile, name: str, check: Check) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        version = npy.read_magic(file)
        if version != _VERSION:
            raise ValueError(f"{name} is of version {version}, expected {_VERSION}")
        shape, fortran, dtype = npy.read_array_header_1_0(file)
        if dtype.hasobject:
            raise ValueError(f"{name} holds pickled objects, which could run code")
        if expected := check(dtype, shape):
            raise ValueError(f"{name} is {dtype} {shape}, expected {expected}")
        data = file.read(dtype.itemsize * math.prod(shape))
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
        if file.read(1):
            raise ValueError(f"{name} is longer than its header says")
        return array.copy()
