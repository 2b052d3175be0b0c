"""The headline as text."""

import dataclasses
import sys

import pytest

from deltadistill.pipeline.report.headline import headline, main
from deltadistill.pipeline.results.summary import summarise, write_summary


def test_the_columns_of_the_table_are_aligned(street, read):
    lines = headline(summarise(read(street))).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("T "))
    table = [line for line in lines[start : start + 19] if "─" not in line]
    assert len({len(line) for line in table}) == 1
    assert len(table) == 16  # header, 5 variants at T = 1, 3 and 10


def test_measured_times_stand_beside_macs_and_what_they_were_measured_on_below(street, read):
    lines = headline(summarise(read(street))).splitlines()
    row = next(line.split() for line in lines if line.startswith("10  delta"))
    assert row[5:9] == ["0.091", "0.29", "5.43", "1.67"]
    said = " ".join(lines)
    assert "ms: a frame of the network alone, on one thread of one machine (made up), fp32" in said
    assert "speed-up: over the teacher's fastest, fast" in said


def test_a_summary_without_times_has_no_columns_for_them(street, read):
    summary = summarise(read(street))
    untimed = {
        name: {t: dataclasses.replace(point, ms=None) for t, point in points.items()}
        for name, points in summary.variants.items()
    }
    text = headline(dataclasses.replace(summary, variants=untimed))
    assert "ratio   consistency" in text
    assert "ms:" not in text


def test_seeds_and_frames_are_named_above_the_table(street, real_video, read):
    assert "210 labelled test frames; mean ± standard deviation over seeds 0, 1, 2" in headline(
        summarise(read(street))
    )
    assert "fidelity" in headline(summarise(read(real_video)))


def test_claims_that_were_not_measured_share_the_last_line(real_video, read):
    lines = headline(summarise(read(real_video))).splitlines()
    assert lines[-1].startswith("  not measured here: accuracy kept; ahead of feature distillation; ")
    assert "not measured" not in "".join(lines[:-1])


def test_the_command_prints_the_table_and_where_the_page_is(tree, read, monkeypatch, capsys):
    path = tree.results / "summary.json"
    write_summary(summarise(read(tree)), path)
    path.with_name("report.html").write_text("page")
    monkeypatch.setattr(sys, "argv", ["headline", str(path)])
    main()
    printed = capsys.readouterr().out
    assert "delta" in printed
    assert f"Report: {path.with_name('report.html')}" in printed


def test_a_missing_summary_ends_the_command_with_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["headline", str(tmp_path / "summary.json")])
    with pytest.raises(SystemExit, match="write_report"):
        main()
