"""The page: complete in itself, accessible, honest about what it shows."""

import json
import re
from html.parser import HTMLParser

import pytest

from deltadistill.pipeline.report import page, rendering, time_tables, words
from deltadistill.pipeline.report.scenes import read_scenes
from deltadistill.pipeline.report.tables import DASH
from deltadistill.pipeline.results.summary import summarise

VOID = {"meta", "link", "img", "input", "br", "col", "source"}


class Reader(HTMLParser):
    """Collects what the tests ask about, and checks that tags are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.images, self.texts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "img":
            self.images.append(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "pre", "code"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def render(tree, read):
    results = read(tree)
    scenes = read_scenes(tree.artifacts, data=tree.data, seed=0, variants=results.variants, period=10)
    html = page.render(results, summarise(results), scenes)
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return html, reader


@pytest.fixture(scope="module")
def street_page(street, read):
    return render(street, read)


@pytest.fixture(scope="module")
def video_page(real_video, read):
    return render(real_video, read)


def test_the_page_fetches_nothing(street_page):
    html, _ = street_page
    sources = re.findall(r'(?:src|srcset|href)="([^"]*)"', html)
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "url(" not in html.replace("url(#", "")
    assert "<script" not in html


def test_the_page_stays_below_its_limit(street_page, street, read, monkeypatch):
    assert len(street_page[0].encode()) < rendering.MAX_BYTES
    monkeypatch.setattr(rendering, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="1000 allowed"):
        render(street, read)


def test_frames_that_may_not_be_shown_are_not_on_the_page(street, read, street_page):
    assert "Contact sheet" in street_page[0]
    results = read(street)
    html = page.render(results, summarise(results), (), pictures=False)
    assert "Contact sheet" not in html
    assert "data:image" not in html


def test_every_picture_has_a_text_and_every_id_is_unique(street_page):
    html, reader = street_page
    assert all(image["alt"].strip() for image in reader.images)
    assert len(reader.ids) == len(set(reader.ids))
    assert all(target in reader.ids for target in re.findall(r'href="#([a-z_-]+)"', html))
    assert 'lang="en"' in html
    assert html.count("<caption>") == html.count("<table")


def test_every_accuracy_table_names_split_frames_and_seeds(street_page):
    _, reader = street_page
    basis = "Test split, 210 labelled frames; mean ± standard deviation over seeds 0, 1, 2."
    assert reader.text.count(basis) >= 7


def test_one_seed_is_said_to_have_no_spread(video_page):
    assert "one seed (0), so no spread is known" in video_page[1].text


def test_costs_are_macs(street_page, video_page):
    for html, reader in (street_page, video_page):
        assert "FLOP" not in html
        assert "MACs" in reader.text


def test_every_claim_is_on_the_page_with_its_verdict(street_page, street, read):
    _, reader = street_page
    for claim in summarise(read(street)).claims:
        assert claim.text in reader.text
        assert claim.verdict.lower() in reader.text.lower()


def test_claims_that_were_not_measured_are_named_after_the_others(video_page):
    _, reader = video_page
    start = reader.text.index("Not measured here: accuracy kept; ahead of feature distillation; ")
    assert "holds" not in reader.text[start : reader.text.index("Fidelity and temporal consistency", start)]
    assert "finetuned at T = 3 was not run in this experiment" in reader.text[start:].replace("\u00a0", " ")


def test_a_video_is_judged_by_fidelity(video_page):
    _, reader = video_page
    assert "fidelity to the per-frame teacher" in reader.text
    assert "unlike the teacher" in reader.text
    assert "ground truth" not in reader.text
    assert "Not measured here" in reader.text


def test_a_real_video_is_linked_beside_the_page_and_not_fetched(video_page, street_page):
    html, reader = video_page
    assert '<a href="animations/overlay.mp4">' in html
    assert "teacher and delta side by side" in reader.text
    assert "<video" not in html
    assert "overlay.mp4" not in street_page[0]


def test_every_table_that_can_scroll_bears_the_hint_to_scroll(street_page):
    html, _ = street_page
    assert (
        "caption span::after { animation: hint linear; animation-timeline: scroll(nearest inline); }" in html
    )
    assert html.count('<div class="scroll"') == html.count("<caption><span>")


def test_motion_can_be_avoided_and_stopped(street_page):
    html, _ = street_page
    assert 'media="(prefers-reduced-motion: reduce)"' in html
    assert "Hold still" in html


def test_names_from_the_data_cannot_become_markup(tree, read):
    path = tree.data / "dataset.json"
    path.write_text(path.read_text().replace('"sidewalk"', '"<b>side</b>"'))
    sweeps = tree.results.glob("per_seed/seed0/sweep_sequence_length/*/sweep.json")
    for sweep in sweeps:
        sweep.write_text(sweep.read_text().replace('"sidewalk"', '"<b>side</b>"'))
    html, _ = render(tree, read)
    assert "<b>side</b>" not in html
    assert "&lt;b&gt;side&lt;/b&gt;" in html


def test_what_was_left_out_of_a_video_stands_beside_the_data(tree, read):
    path = tree.data / "dataset.json"
    notes = [
        "3 damaged frames left out, 1 gap: after frame 12",
        "of 2 video streams took stream 1; not stream <0>",
    ]
    videos = [{"name": "ride", "path": "x", "frames_per_second": 25.0, "damaged": 3, "notes": notes}]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"videos": videos}))
    html, reader = render(tree, read)
    assert "ride: 3 damaged frames left out, 1 gap: after frame 12." in reader.text
    assert "ride: of 2 video streams took stream 1; not stream &lt;0&gt;." in html


def test_the_page_of_labelled_clips_of_ones_own_can_be_made(tree, read):
    path = tree.data / "dataset.json"
    path.write_text(path.read_text().replace('"generated"', '"masks"'))
    assert "Kind: masks" in render(tree, read)[1].text


def test_a_cell_sets_its_spread_aside():
    assert rendering.aside("75.1 ± 0.2") == ("75.1", " ± 0.2")
    assert rendering.aside("9.70 (10.86)") == ("9.70", " (10.86)")
    assert rendering.aside("–") == ("–", "")


def test_a_toy_run_of_short_sequences_still_gives_a_page(tree, read):
    for path in tree.results.glob("per_seed/seed0/*/*/*.json"):
        content = json.loads(path.read_text())
        if "lengths" in content:
            content["lengths"] = {t: v for t, v in content["lengths"].items() if t in ("1", "2")}
            path.write_text(json.dumps(content))
    (tree.results / "per_seed/seed0/pretrain_teacher/curve.csv").write_text(
        "step,loss,learning_rate,tune_score\n"
    )
    layers = tree.results / "per_seed/seed0/distill/delta/layers.csv"
    layers.write_text("layer,part,error_before,error_after\nstem.0,stem,0,0\nstem.1,stem,nan,nan\n")
    _, reader = render(tree, read)
    assert "Delta distillation at T = 3 was not measured." in reader.text
    assert "Not measured here: half the compute; " in reader.text
    assert "delta at T = 3 was not run in this experiment" in reader.text


def test_a_videos_fidelity_is_given_shot_by_shot_and_only_there(video_page, street_page):
    assert "shot_01" in video_page[1].text
    assert "shot by shot" in video_page[1].text
    assert "shot by shot" not in street_page[1].text


def opening(tree, read, **speedups):
    """The page's first sentences where delta is faster than the teacher by T3=… and T10=…."""
    path = tree.results / "measure_latency/latency.json"
    content = json.loads(path.read_text())
    for variants in content["conditions"][0]["engines"].values():
        variants["delta"]["network"]["speedup"] = {t[1:]: value for t, value in speedups.items()}
    path.write_text(json.dumps(content))
    results = read(tree)
    return words.lead(results, summarise(results))


def test_the_lead_says_what_time_a_frame_takes(tree, read):
    assert opening(tree, read, T3=1.2, T10=1.5)[-1] == (
        "Measured on one thread of one machine (made up), fp32, each in its fastest engine, a frame of delta "
        "takes 6.8 ms at T = 3 (speed-up ×1.20, fast) and 5.4 ms at T = 10 (speed-up ×1.50, fast), "
        "one of the teacher 9.1 ms (fast)."
    )


def test_the_lead_says_where_macs_saved_are_no_time_saved(tree, read):
    said = "MACs saved are not time saved"
    assert opening(tree, read, T3=1.09, T10=1.05)[-1].endswith(f"9.1 ms (fast): {said}.")
    assert opening(tree, read, T3=1.09, T10=1.1)[-1].endswith(f"9.1 ms (fast): {said} at T = 3.")


def test_the_lead_is_silent_about_times_that_were_not_measured(tree, read):
    assert len(opening(tree, read)) == 3


def test_the_measured_speedup_is_among_the_first_figures(street_page, street, read):
    tiles = {tile.value: tile.text for tile in words.tiles(summarise(read(street)))}
    # (10.7 + 2 · 4.85) / 3 and (10.7 + 9 · 4.85) / 10 ms against 9.1
    assert (
        tiles["×1.34"]
        == "the teacher's speed at T = 3, measured, each in its fastest engine; ×1.67 at T = 10"
    )
    assert "×1.34" in street_page[1].text


def test_every_variant_has_its_times_alone_and_end_to_end_in_every_engine(street, read):
    results = read(street)
    (alone, whole), *others = time_tables.condition_tables(results)
    assert len(others) == 2
    rows = {row[0]: row[1:] for row in alone.rows}
    assert len(rows) == 2 * len(results.variants) == len(whole.rows)
    assert rows["delta, fast"] == (
        *("10.70 (11.98)", "4.85 (5.43)", "×1.34", "×1.67", "×2.11", "×3.46", "1.83"),
    )
    assert rows["small, eager"][:4] == ("9.10 (10.19)", DASH, "×1.00", "×1.00")
    assert {row[0]: row[1:] for row in whole.rows}["teacher, fast"] == (
        "11.10 (12.43)",
        DASH,
        "×1.00",
        "×1.00",
    )
    assert "speed-ups are over the teacher in fast" in alone.caption


def test_the_overview_has_a_row_for_each_number_of_streams_and_threads(street, read):
    table = time_tables.overview_table(read(street))
    assert table.columns == ("", "teacher, ms", "delta, T = 3, ms", "delta, T = 10, ms")
    assert [row[0] for row in table.rows][1:4] == [
        "one stream, one thread, end to end",
        "8 streams, one thread",
        "8 streams, one thread, end to end",
    ]
    assert table.rows[0][1:] == ("9.1 (fast)", "6.8 (×1.34)", "5.4 (×1.67)")


def test_what_was_not_timed_stands_on_the_page_with_its_reason(tree, read):
    path = tree.results / "measure_latency/latency.json"
    missing = {"engine": "fast", "variant": "feature", "reason": "ValueError: no <such> layer"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"left_out": [missing]}))
    html, _ = render(tree, read)
    assert "Not timed: feature in fast: ValueError: no &lt;such&gt; layer." in html
    assert "features avx2, amx" in html


def before_engines(ms, **more):
    """A variant's times as latency.json had them before there were engines."""
    return {name: {"median": median, "p95": 1.1 * median} for name, median in ms.items()} | more


def test_a_page_of_times_of_before_engines_can_be_made(tree, read):
    delta = before_engines(
        {"key_ms": 12.8, "delta_ms": 11.2},
        amortised_ms={"1": 12.8, "3": 11.7, "10": 11.4},
        speedup={"1": 0.78, "3": 0.854, "10": 0.88},
        macs_bound={"1": 1.0, "3": 2.02, "10": 3.15},
        state_bytes=1024,
    )
    times = {"teacher": before_engines({"frame_ms": 10.0}), "delta": delta, "feature": delta}
    machine = {"processor": "one", "architecture": "x86_64", "logical_cores": 2, "system": "Linux"}
    content = {"size": [3, 96, 192], "runs": 60, "threads": 1, "variants": times, "machine": machine}
    path = tree.results / "measure_latency/latency.json"
    path.write_text(json.dumps(content | {"versions": {"torch": "2.14.1"}}))
    _, reader = render(tree, read)
    assert "×0.85" in reader.text
    assert time_tables.overview_table(read(tree)) is None
