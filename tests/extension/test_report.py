"""A variant of any name says itself what it is in the report: role, label and colour; no edit elsewhere."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deltadistill.pipeline import params as parameters
from deltadistill.pipeline.report.headline import headline
from deltadistill.pipeline.report.page import render
from deltadistill.pipeline.results.results import read_results
from deltadistill.pipeline.results.summary import summarise
from deltadistill.pipeline.results.variants import variants_of

ROOT = Path(__file__).resolve().parents[2]
MINE = {"network": "distill/feature", "predict": "stream"}
SHOWN = {"label": "Blend nets", "colour": "#12ab9f"}


def reported(folder, **changes):
    """The committed experiment street with one variant more, which was measured as `feature` was."""
    shutil.copytree(ROOT / "results/street", folder)
    for stage in ("sweep_sequence_length", "analyze_consistency"):
        of_stage = folder / "per_seed/seed0" / stage
        shutil.copytree(of_stage / "feature", of_stage / "mine")
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    content["variants"] = {"mine": MINE} | content["variants"]
    content["write_report"]["shown_as"] = {"mine": SHOWN | changes}
    params = parameters.parse(content)
    results = read_results(
        folder,
        data=folder / "prepare_dataset",
        seeds=params.seeds,
        variants=variants_of(params),
        distilled=params.distill.trainings,
    )
    return results, summarise(results)


def test_a_rival_of_ones_own_has_its_label_and_colour_in_figures_tables_and_words(tmp_path):
    page = render(*(both := reported(tmp_path / "street", role="rival")), ())
    assert '<span class="swatch" style="background: #12ab9f"></span>Blend nets</th>' in page
    figures = [part.split("</svg>")[0] for part in page.split("<svg ")[1:]]
    assert sum("#12ab9f" in figure and ">Blend nets<" in figure for figure in figures) >= 4
    assert "this is compared with Blend nets, the teacher on every frame" in page
    assert "Blend nets" in headline(both[1])
    assert "mine" not in headline(both[1])


def test_claims_are_about_the_one_that_is_said_to_be_ours(tmp_path):
    _, summary = reported(tmp_path / "street", role="ours")
    claims = {claim.name: claim.figures for claim in summary.claims}
    assert claims["accuracy kept"].startswith("Blend nets ")


@pytest.mark.parametrize("wrong", [{"role": "best"}, {"colour": "red"}, {"label": "a, b"}, {"label": "copy"}])
def test_what_the_report_could_not_show_is_refused_with_the_parameters(wrong, tmp_path):
    with pytest.raises(ValueError, match="shown_as"):
        reported(tmp_path / "street", **wrong)
