"""Write the report of a sweep: comparison.csv, summary.json and one self-contained page.

Reads what the stages of all its settings left below --results; settings.json says which there are. A setting
that is not finished is left out and named.
"""

from deltadistill.pipeline import stage_arguments


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        settings="settings.json of the sweep",
        results="results/sweeps/<sweep>, read and written",
    )
    from deltadistill.files import atomic
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.report.comparison_entries import read_comparison
    from deltadistill.pipeline.report.comparison_files import headline, write_comparison, write_summary
    from deltadistill.pipeline.report.comparison_page import render

    comparison = read_comparison(args.settings, args.results)
    listing = comparison.listing
    params = {"experiment": f"sweep {listing.sweep}", "seeds": listing.seeds, "keys": listing.keys}
    with tracking.stage_run("compare_settings", params=params, folder=args.results) as run:
        page = render(comparison)
        write_comparison(comparison, args.results / "comparison.csv")
        write_summary(comparison, args.results / "summary.json")
        with atomic.file(args.results / "report.html") as unfinished:
            unfinished.write_text(page, encoding="utf-8")
        for name in ("comparison.csv", "report.html"):
            run.figure(args.results / name)
        run.headline(headline(comparison))
    for name, fault in comparison.unfinished.items():
        print(f"left out, not finished: {name}: {fault}")
    print(f"report: {args.results / 'report.html'}")


if __name__ == "__main__":
    stage_arguments.run(main)
