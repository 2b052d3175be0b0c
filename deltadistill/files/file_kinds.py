"""What a file is that is no file of weights, told by its beginning, and what to do about it."""

_PACKED = "it is packed; unpack it first"
_KINDS = (
    (
        b"version https://git-lfs.github.com/",
        "it is a pointer of Git LFS, not the file itself; `git lfs pull` brings it",
    ),
    (b"<?xml", "it is a page or a message in XML, so the download failed; open the address in a browser"),
    (b"\x1f\x8b", _PACKED),
    (b"BZh", _PACKED),
    (b"\xfd7zXZ", _PACKED),
    (b"7z\xbc\xaf", _PACKED),
    (b"Rar!", _PACKED),
    (b"\x89HDF", "it is an HDF5 file, as Keras writes them; weights of PyTorch are needed"),
    (b"\x93NUMPY", "it is an array of NumPy; tensors by name are needed"),
    (b"\x08", "it looks like an ONNX file; weights of PyTorch are needed"),
    (b"\x80", "it is a pickle that torch.save did not write, which could run code; save its tensors with it"),
)
_PAGES = (b"<!doctype", b"<html", b"<head", b"<body")


def kind_by_beginning(head: bytes) -> str | None:
    """What the file with these first bytes is, in words; None where nothing is known of it.

    head: 512 bytes will do.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:9].lower().startswith(_PAGES):
        return "it is a web page, so the download failed; open the address in a browser"
    if text.startswith(b"{") and b"error" in text.lower():
        return f"it is a server's answer, not the file: {text[:100].decode(errors='replace')}"
    if head[257:262] == b"ustar":
        return _PACKED
    return next((words for beginning, words in _KINDS if text.startswith(beginning)), None)


def kind_by_parts(names: list[str]) -> str | None:
    """What the zip archive with these parts is, where torch.save did not write it."""
    if any(name.endswith("/constants.pkl") or name == "constants.pkl" for name in names):
        return (
            "it is a TorchScript program; torch.save(torch.jit.load(path).state_dict(), other) writes its "
            "tensors, if you trust it"
        )
    if any(name.lower().endswith("data.pkl") for name in names):
        return None
    inside = next((name for name in names if name.lower().endswith((".pt", ".pth", ".safetensors"))), None)
    if inside:
        return f"it is a zip archive that holds {inside}; unpack it first"
    return f"it is a zip archive that torch.save did not write, of {', '.join(names[:3])}"
