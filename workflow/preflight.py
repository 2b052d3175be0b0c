"""The preflight of `make`, which is not done again for parameters and code that have passed it.

    python -m workflow.preflight [params.yaml …]

It imports PyTorch and builds networks, which takes seconds; a pipeline that has nothing to do need not wait
for that.
"""

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from deltadistill.files import atomic

PASSED = Path(".pipeline", "passed_preflight")  # a digest a line, the newest last
KEPT = 100
# All that the preflight reads beside the parameters: code, dvc.yaml files and tables of classes.
READ = ("deltadistill", "networks", "stages", "extensions", "class_tables", "dvc.yaml")
COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
VALUE = re.compile(r"\"([^\"\n]+)\"|'([^'\n]+)'|([^\s\[\]{},\"'#]+)")
ELSEWHERE = re.compile(r"(?!extensions\.)\w+(\.\w+)+:\w+")  # package.module:name, of a package of one's own


def main() -> None:
    """Check the parameter files named on the command line, or params.yaml, unless they have passed."""
    files = [Path(name) for name in sys.argv[1:] or ["params.yaml"]]
    digest = digest_of(files)
    if digest is not None and digest in passed():
        return
    from deltadistill.pipeline import preflight

    preflight.main()
    if digest is not None:
        remember(digest)


def digest_of(files: Sequence[Path]) -> str | None:
    """A digest of all that decides whether they pass; None where they name code that is not seen here."""
    texts = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    values = {value for text in texts for found in VALUE.findall(COMMENT.sub("", text)) for value in found}
    if len(texts) < len(files) or any(ELSEWHERE.fullmatch(value) for value in values):
        return None
    state = hashlib.sha256(repr((sys.version, sorted(_installed()), texts)).encode())
    for path in sorted(_files_read()):
        state.update(f"\0{path}\0".encode() + path.read_bytes())
    for path in sorted(_files_named(values)):
        status = path.stat()
        state.update(f"\0{path} {status.st_size} {status.st_mtime_ns}".encode())
    return state.hexdigest()


def _installed() -> Iterator[str]:
    """Names and versions of the installed packages."""
    return (path.name for folder in sys.path for path in Path(folder).glob("*.dist-info"))


def _files_read() -> Iterator[Path]:
    for top in map(Path, READ):
        for path in (top, *top.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                yield path


def _files_named(values: set[str]) -> set[Path]:
    """Files that values name: tables, networks, and code as file.py:name or module:name."""
    heads = {value.partition(":")[0] for value in values}
    paths = (Path(name) for name in (*values, *heads, *(f"{head}.py" for head in heads)) if name)
    return {path for path in paths if _is_file(path)}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long to be a name
        return False


def passed() -> list[str]:
    """Digests of what has passed, the oldest first."""
    return PASSED.read_text().split() if PASSED.is_file() else []


def remember(digest: str) -> None:
    """Keep a digest among the newest."""
    with atomic.file(PASSED) as unfinished:
        unfinished.write_text("\n".join([*passed(), digest][-KEPT:]) + "\n")


if __name__ == "__main__":
    main()
