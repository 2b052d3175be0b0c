"""What the report leaves for others: the headline figures that MLflow compares executions by."""

from deltadistill.pipeline.report.publish import headline_figures
from deltadistill.pipeline.results.summary import summarise


def test_a_headline_figure_is_named_variant_first(street, read):
    summary = summarise(read(street))
    figures = headline_figures(summary)
    assert figures["delta_T3_miou"] == summary.variants["delta"][3].score
    assert figures["copy_T10_miou"] == summary.variants["copy"][10].score
    assert figures["delta_T3_macs_ratio"] == summary.variants["delta"][3].macs_ratio
    assert figures["delta_T10_consistency"] == summary.variants["delta"][10].consistency
    assert figures["teacher_miou"] == summary.teacher.score
    variants = tuple(f"{name}_" for name in summary.variants)
    assert [name for name in figures if not name.startswith(variants)] == []
