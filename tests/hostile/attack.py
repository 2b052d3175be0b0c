"""Damages files for one or more readers, again and again, and prints what went wrong, a line of JSON each.

    python attack.py FOLDER SECONDS SEED READER …

A process of its own, whose memory is bounded, so that a reader that takes all of it ends here and not on the
machine. A case is told by reader, seed and number; `python attack.py FOLDER 0 SEED READER NUMBER` repeats it.
"""

import json
import logging
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from random import Random

import av
import cv2
import torch
from hostile.mutations import mutate
from hostile.readers import READERS, Reader

from deltadistill.pipeline import stage_arguments

MOST_SECONDS = 20  # for one file of some kilobytes, on a busy machine
MOST_BYTES = 2**30  # beyond what the process has before: several times what the largest allowed picture takes


class HangError(BaseException):
    """Not an Exception, which readers turn into their own."""


def main() -> None:
    folder, seconds, seed, name, *more = sys.argv[1:]
    prepare()
    if more and more[0].isdigit():
        print(json.dumps(attack(READERS[name], Path(folder), f"{seed} {name} {more[0]}")))
        return
    names = [name, *more]
    for reader in names:
        print(json.dumps(run(reader, Path(folder), int(seed), float(seconds) / len(names))), flush=True)


def prepare() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("error")
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    status = Path("/proc/self/status").read_text().splitlines()
    used = 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (used + MOST_BYTES,) * 2)
    signal.signal(signal.SIGALRM, hang)


def hang(*_: object) -> None:
    raise HangError


def run(name: str, folder: Path, seed: int, seconds: float) -> dict:
    """Number of cases, how many were refused, and what was wrong with others, by case."""
    end, number, refused, wrong = time.monotonic() + seconds, 0, 0, {}
    while number < 3 or (time.monotonic() < end and len(wrong) < 5):
        outcome = attack(READERS[name], folder, f"{seed} {name} {number}")
        refused += outcome == "refused"
        if outcome not in ("refused", "read"):
            wrong[f"{seed} {name} {number}"] = outcome
        number += 1
    return {"reader": name, "cases": number, "refused": refused, "wrong": wrong}


_MADE: dict[int, tuple[list[str], dict[str, bytes]]] = {}


def attack(reader: Reader, folder: Path, case: str) -> str:
    """Damage one file of a valid set, read the set, and tell how that ended."""
    draw = Random(case)
    place = folder / "case"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    victim = place / draw.choice(_fill(reader, place))
    victim.write_bytes(mutate(victim.read_bytes(), draw))
    before = {path for path in folder.rglob("*") if place not in path.parents}
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(MOST_SECONDS)
    try:
        reader.read(place)
        outcome = "read"
    except HangError:
        outcome = f"hangs: {traceback.format_exc()[-1500:]}"
    except Exception as error:
        outcome = judge(error, victim)
    finally:
        signal.alarm(0)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    if 1024 * grown_kib > MOST_BYTES / 2:
        return f"takes too much memory: {grown_kib} KiB"
    outside = {path for path in folder.rglob("*") if place not in path.parents} - before
    return f"wrote {sorted(map(str, outside))}" if outside else outcome


def _fill(reader: Reader, place: Path) -> list[str]:
    """Put valid files in place, made once; names of those to damage."""
    if id(reader) not in _MADE:
        victims = [path.relative_to(place).as_posix() for path in reader.make(place)]
        made = {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()}
        _MADE[id(reader)] = victims, made
    victims, made = _MADE[id(reader)]
    for name, content in made.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return victims


def judge(error: Exception, victim: Path) -> str:
    """Whether an error is the one that was promised: of type ValueError, naming the file, memory unspent."""
    chain, reason = [], error
    while reason is not None and reason not in chain:
        chain.append(reason)
        reason = reason.__cause__ or reason.__context__
    if any(_is_out_of_memory(e) for e in chain):
        return f"takes too much memory: {''.join(traceback.format_exception(error))[-1500:]}"
    if type(error) is not ValueError and not stage_arguments._is_ours(error):
        return f"raises {type(error).__name__}: {''.join(traceback.format_exception(error))[-2500:]}"
    if victim.name not in str(error) and victim.parent.name not in str(error):
        return f"does not name the file: {error}"
    return "refused"


def _is_out_of_memory(error: BaseException) -> bool:
    """FFmpeg refuses what is too large before it asks for it, by an error of that name, which ours repeat."""
    if isinstance(error, av.FFmpegError | ValueError):
        return False
    said = ("allocate memory", "Insufficient memory")
    return isinstance(error, MemoryError) or any(text in str(error) for text in said)


if __name__ == "__main__":
    main()
