"""constraints.txt pins every package the project installs, directly or not, on each kind of processor."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = (
    "torch",
    "onnxruntime",
    "openvino",
    "pipeline",
    "video",
    "detection",
    "tracking",
    "onnx",
    "timm",
    "cluster",
    "dev",
)
LINES = [
    line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")
]


def pins(**environment: str) -> dict[str, str]:
    """Version per package, where the markers hold on this machine or on the one described."""
    requirements = [Requirement(line) for line in LINES]
    here = {**default_environment(), **environment}
    valid = [entry for entry in requirements if entry.marker is None or entry.marker.evaluate(here)]
    return {canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in valid}


def needed() -> set[str]:
    """Every package the project needs here, with all its extras, found from what is installed."""
    found: set[str] = set()
    waiting = [("deltadistill", frozenset(EXTRAS))]
    while waiting:
        name, extras = waiting.pop()
        for text in metadata.requires(name) or []:
            entry = Requirement(text)
            if entry.marker and not any(entry.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                continue
            if canonicalize_name(entry.name) == "deltadistill":
                continue  # an extra that takes in another one, which EXTRAS names too
            if canonicalize_name(entry.name) not in found:
                found.add(canonicalize_name(entry.name))
                waiting.append((entry.name, frozenset(entry.extras)))
    return found


def test_every_installed_package_has_the_pinned_version():
    pinned = pins()
    wrong = {
        name: (metadata.version(name), pinned.get(name))
        for name in needed()
        if metadata.version(name) != pinned.get(name)
    }
    assert not wrong, f"(installed, pinned): {wrong}; run make install, or make constraints.txt again"


def test_every_line_pins_one_version():
    assert not [line for line in LINES if not re.match(r"^[A-Za-z0-9._-]+==[^*\s]+( ; .+)?$", line)]


@pytest.mark.parametrize(
    ("machine", "torch", "torchvision"), [("x86_64", "2.14.1", "0.29.1"), ("aarch64", "2.9.1", "0.24.1")]
)
def test_torch_and_torchvision_fit_together_on_each_processor(machine, torch, torchvision):
    pinned = pins(platform_machine=machine, sys_platform="linux")
    assert (pinned["torch"], pinned["torchvision"]) == (torch, torchvision)


def test_cuda_is_installed_on_x86_64_only():
    assert not [
        name for name in pins(platform_machine="aarch64") if name.startswith(("nvidia", "cuda", "triton"))
    ]


def test_the_build_tool_is_pinned():
    assert "setuptools" in pins()
