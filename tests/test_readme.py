"""The documents say what is so: figures, example, commands and links."""

import argparse
import contextlib
import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import torch
from headlines import BLOCK, DOCUMENTS, refreshed
from torchvision.models import segmentation as segmentation_networks

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.command.registry import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLE = (ROOT / "docs/example.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Folders of data sets, what the pipeline makes, and names that a decision was against.
MADE_OR_BROUGHT = {
    *("artifacts/", "logs/", "logs/benchmarks/", "sweeps/beta/"),
    *(
        "leftImg8bit/",
        "leftImg8bit_sequence/",
        "gtFine/",
        "gtCoarse/",
        "stl10_binary/",
        "cifar-10-batches-bin/",
        "img_align_celeba/",
    ),
    "convert/",
}
FOR_TOOLS = {
    "LICENSE",
    "README.md",
    "CITATION.cff",
    "constraints.txt",
    "dvc.lock",
    "py.typed",
    "__init__.py",
    "__main__.py",
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_tables_are_those_of_the_committed_results(document):
    text = (ROOT / document).read_text()
    assert BLOCK.search(text)
    assert refreshed(text, DOCUMENTS[document]) == text


def test_every_command_line_is_one_that_there_is():
    lines = re.findall(r"^deltadistill .*", README, flags=re.M)
    commands = [shlex.split(line, comments=True)[1:] for line in lines]
    assert {command[0] for command in commands} == set(COMMANDS)
    for command in commands:
        parser = argparse.ArgumentParser()
        COMMANDS.find(command[0]).describe(parser)
        parser.parse_args(command[1:])


def ran_example():
    """The names that the example leaves behind, and what it prints."""
    (code,) = re.findall(r"```python\n(.*?)```", EXAMPLE, flags=re.S)
    assert len(code.splitlines()) <= 25
    torch.manual_seed(0)
    clips = torch.randn(4, 1, 3, 64, 96) + 0.2 * torch.randn(4, 3, 3, 64, 96)
    names = {"clips": clips, "steps": 2, "frames": clips[0, :, None]}  # the last is a delta frame
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return names, printed.getvalue()


def test_the_example_runs_as_written():
    names, printed = ran_example()
    assert names["prediction"].shape == (1, 8, 64, 96)
    assert "converted" in printed


def test_the_example_holds_for_a_network_with_dead_channels(monkeypatch):
    as_it_is = segmentation_networks.lraspp_mobilenet_v3_large

    def with_dead_channels(**options):
        torch.manual_seed(0)
        network = as_it_is(**options)
        for norm in (layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)):
            norm.bias.data[::4] = -10  # ReLU and hardswish make zeros of them
        return network

    monkeypatch.setattr(segmentation_networks, "lraspp_mobilenet_v3_large", with_dead_channels)
    names, _ = ran_example()
    starts = [row.start for row in dd.conversion_report(names["delta"])]
    assert any("in which nothing moves" in start for start in starts)
    largest = max(weight.abs().max() for weight in names["network"].parameters() if weight.dim() > 1)
    for block in delta_blocks(names["delta"]).values():
        assert max(weight.abs().max() for weight in block.compressed.parameters()) < 10 * largest
    with torch.no_grad():
        expected = names["network"](names["frames"][-1])["out"]
    error = (names["prediction"] - expected).norm() / expected.norm()
    assert error < 0.5


def test_every_make_target_exists():
    targets = set(re.findall(r"`?make ([a-z-]+)", README)) - {"sure"}
    makefile = (ROOT / "Makefile").read_text()
    assert {t for t in targets if not re.search(rf"^{t}:", makefile, flags=re.M)} == set()


def test_every_linked_file_is_in_the_repository():
    links = re.findall(r"\]\(([^)#]+)", README)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [link for link in links if "://" not in link and link not in tracked.splitlines()] == []


def test_the_readme_can_be_read_in_one_go():
    assert len(README.splitlines()) <= 150


def test_every_name_of_the_tree_exists_and_every_entry_at_the_top_is_in_it():
    tree = re.search(r"## What is where\n\n```\n(.*?)```", README, flags=re.S).group(1)
    missing, named = [], set()
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        for name in re.findall(r"[\w/]+(?:\.\w+|/)|Makefile|Snakefile", line[: 22 if indent == 0 else 80]):
            places = [ROOT / name, ROOT / "deltadistill" / name]
            named.add((bool(indent), name.strip("/")))
            if not any(place.exists() for place in places):
                missing.append(name)
    assert missing == []
    for inside, folder in ((False, ROOT), (True, ROOT / "deltadistill")):
        assert top_entries(folder) - {name for is_inside, name in named if is_inside == inside} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_source_file_and_room_that_a_page_names_exists(page):
    """Paths are below the project, the library, the tests, or what pages say is made or brought."""
    named = re.findall(r"`((?:[\w-]+/)+(?:[\w-]+\.py)?|[\w-]+\.py)`", page.read_text())
    homes = [ROOT, ROOT / "deltadistill", ROOT / "tests"]
    assert [name for name in named if not any((home / name).exists() for home in homes)] == [
        name for name in named if name in MADE_OR_BROUGHT
    ]


def test_every_decision_is_in_the_index_with_its_date_and_state():
    text = (ROOT / "docs/decisions.md").read_text()
    headings = re.findall(r"^## (.*)$", text, flags=re.M)
    state = r"(?:holds|replaced by|open)"
    rows = re.findall(r"^\| \[.*\]\(#(\S+)\) \| \d{4}-\d\d-\d\d \| " + state, text, flags=re.M)
    assert rows == [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def top_entries(folder: Path) -> set[str]:
    """Tracked files and folders right below a folder, but for those that only tools look for."""
    command = ["git", "ls-files", "--", "."]
    paths = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    entries = {path.split("/")[0] for path in paths.splitlines()}
    return {name for name in entries if not name.startswith(".")} - FOR_TOOLS
