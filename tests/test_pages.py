"""The pages that people get, in a real browser of a desktop and a phone: nothing is cut or missing."""

import os
from pathlib import Path

import pytest
from browser import PROGRAM, browser
from pipeline.report.conftest import build_tree, read_tree
from preparation.small_videos import drifting, write_video

from deltadistill.command.main import main
from deltadistill.pipeline.report import page
from deltadistill.pipeline.report.scenes import read_scenes
from deltadistill.pipeline.results.summary import summarise

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")

DESKTOP, PHONE = 1280, 390
LONG = "a_network_whose_name_is_longer_than_a_phone_is_wide"
NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1),
                         nn.ReLU(), nn.Conv2d(16, 4, 1)).eval()
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def runner_page(tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("accelerated"), Path.cwd()
    (folder / f"{LONG}.py").write_text(NETWORK)
    write_video(folder / f"{LONG}.mp4", drifting(40))
    words = [f"{LONG}.py:build", f"{LONG}.mp4", "-o", "runner", "--minutes", "0.1", "--size", "48x64"]
    try:
        os.chdir(folder)
        assert main(["accelerate", *words, "--engine", "onnxruntime", "--threads", "1"]) == 0
    finally:
        os.chdir(before)
    return folder / "runner" / "report.html"


@pytest.fixture(scope="module")
def pipeline_page(tmp_path_factory):
    tree = build_tree(tmp_path_factory.mktemp("pipeline"), seeds=(0, 1))
    results = read_tree(tree)
    scenes = read_scenes(tree.artifacts, data=tree.data, seed=0, variants=results.variants, period=10)
    written = tree.base / "report.html"
    written.write_text(page.render(results, summarise(results), scenes), encoding="utf-8")
    return written


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("name", ["runner_page", "pipeline_page"])
def test_a_page_shows_all_its_pictures_within_its_width_and_without_a_complaint(
    request, chromium, name, width
):
    seen = chromium.seen(request.getfixturevalue(name), width)
    assert seen["pictures"] > 1
    assert seen["width"] <= width  # wider where a page says nothing of phones
    assert seen["width"] <= width  # wider where a page says nothing of phones
    assert (seen["missing"], seen["overflow"], seen["beyond"], seen["console"]) == ([], 0, [], [])


def test_what_is_wrong_with_a_page_is_seen(chromium, tmp_path):
    (tmp_path / "page.html").write_text(
        '<!doctype html><meta name="viewport" content="width=device-width">'
        '<img alt="gone" src="none.png"><p style="width:900px">wide</p>'
        "<script>console.error('broken'); nothing()</script>"
    )
    seen = chromium.seen(tmp_path / "page.html", PHONE)
    assert seen["missing"] == ["img gone"]
    assert seen["beyond"] == ["p wide"]
    assert seen["overflow"] > 0
    assert {"['broken']", "Uncaught"} <= set(seen["console"])
    assert any("ERR_FILE_NOT_FOUND" in text for text in seen["console"])
