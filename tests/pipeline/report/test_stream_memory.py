"""Memory on the page: a table of peaks, and accuracy over them where streams were counted."""

import dataclasses

import pytest

from deltadistill.pipeline.report.cost_tables import memory_table
from deltadistill.pipeline.report.drawings import drawings
from deltadistill.pipeline.report.figures import accuracy_against_cost
from deltadistill.pipeline.report.figures.cost_axis import MEMORY, has_stream_memory
from deltadistill.pipeline.report.publish import write_figures
from deltadistill.pipeline.results.summary import summarise


def with_peaks(summary, **peaks):
    """The summary with peaks of variants at every length, by name."""
    for name, given in peaks.items():
        points = summary.variants[name]
        points |= {length: dataclasses.replace(point, **given) for length, point in points.items()}
    return summary


@pytest.fixture
def counted(street, read):
    teacher = {"peak_mib": 1.4, "published_peak_mib": 1.5}
    delta = {"peak_mib": 6.4, "delta_peak_mib": 6.0, "kept_mib": 5.1}
    return with_peaks(summarise(read(street)), teacher=teacher, delta=delta)


def test_a_stream_has_its_peak_that_of_a_later_frame_and_what_it_keeps(counted):
    table = memory_table(counted)
    assert table.columns[-2:] == ("later frame", "maps kept")
    rows = {row[0]: row for row in table.rows}
    assert rows["teacher"][3:] == ("1.400", "1.000", "1.500", "1.000", "–", "–")
    assert rows["delta"][3:] == ("6.400", "4.571", "–", "–", "6.000", "5.100")
    assert rows["delta"][2] == f"{counted.variants['delta'][2].gmacs:.4f}"  # the shortest with a later frame


def test_where_no_stream_was_counted_table_and_page_are_as_they_were(street, read):
    results = read(street)
    summary = with_peaks(summarise(results), teacher={"peak_mib": 1.4, "published_peak_mib": 1.5})
    assert len(memory_table(summary).columns) == 7
    assert not has_stream_memory(summary)
    assert "accuracy_against_memory" not in drawings(results, summary)


def test_accuracy_is_drawn_over_the_peak_which_no_length_changes(counted, street, read, tmp_path):
    (axes,) = accuracy_against_cost.draw(counted, MEMORY).axes
    across = {container.get_label(): container.lines[0].get_xdata() for container in axes.containers}
    assert list(across["teacher"]) == [1.4]
    assert set(across["delta"]) == {6.4}
    assert set(across) == {"teacher", "delta"}  # of the others nothing is known
    assert axes.get_xlabel() == "theoretical peak memory, MiB beside weights"
    drawing = drawings(read(street), counted)["accuracy_against_memory"]
    assert drawing.alt.endswith("for teacher, delta.")
    assert "accuracy_against_memory.png" in [path.name for path in write_figures(counted, tmp_path)]
