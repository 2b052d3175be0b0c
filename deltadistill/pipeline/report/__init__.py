"""The report of an experiment or a sweep: result files in; figures, tables, claims and one page out."""
