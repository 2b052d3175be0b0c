"""Files of an online stream's state: a stream that was killed goes on from the last one."""

import io
from pathlib import Path

import torch

from deltadistill.files import atomic
from deltadistill.files.tensors import read_tensors
from deltadistill.online.stream import OnlineStream

FORMAT = 2


def save_stream(path: Path, stream: OnlineStream) -> None:
    """Write the state of a stream between two frames, whole or not at all."""
    content = io.BytesIO()
    torch.save({"format": FORMAT, "online_stream": stream.state()}, content)
    with atomic.file(path) as unfinished:
        atomic.write_bytes(unfinished, content.getbuffer())


def resume_stream(path: Path, stream: OnlineStream) -> None:
    """Give a stream, made as the one that was saved, that one's state: its next answers are the same.

    Its `position` says which frame is next. Raises ValueError for a file of another kind, and for the state
    of another student.
    """
    try:
        content = read_tensors(path, checksums=True)
    except ValueError as error:
        raise ValueError(f"{path}: no state of an online stream: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or "online_stream" not in content:
        raise ValueError(f"{path}: no state of an online stream in format {FORMAT}; write it by save_stream")
    stream.resume(content["online_stream"])
