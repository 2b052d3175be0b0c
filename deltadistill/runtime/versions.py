"""Versions of what makes and runs graphs, as far as it is installed here."""

import platform
from importlib import metadata

_PACKAGES = ("deltadistill", "torch", "onnxruntime", "openvino")


def installed_versions() -> dict[str, str]:
    """Versions by name: of this library, of the engines that are installed, and of Python."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
