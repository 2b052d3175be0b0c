"""The report: result files in; figures, tables, claims and one self-contained page out."""
