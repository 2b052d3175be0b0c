"""Text from a file: UTF-8, of bounded size."""

from pathlib import Path


def read_text(path: Path, *, most_bytes: int, remedy: str) -> str:
    """Return the text of a file, line ends as they are.

    remedy: what to do about a damaged file, such as "run the stage prepare_dataset again".
    Raises ValueError with path, fault and remedy for a file that cannot be opened, has more than
    `most_bytes`, is no UTF-8 text, or holds NUL characters.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise ValueError(f"{path} has more than the {most_bytes} bytes allowed; {remedy}")
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; {remedy}") from error
    if (place := data.find(0)) >= 0:
        raise ValueError(f"{path} is no text: byte {place} is NUL; {remedy}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is no UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}; {remedy}"
        ) from error
