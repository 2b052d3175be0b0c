"""Write the report of an experiment: one self-contained page, summary.json, figures and animations.

Reads what the earlier stages left below --results and the example predictions below --artifacts. For an
unlabelled video it also writes a video of the teacher and ours side by side.
"""

from deltadistill.pipeline import stage_arguments


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder of manifest.csv",
        artifacts="artifacts/<experiment>",
        results="results/<experiment>, read and written",
    )
    from deltadistill.files import atomic
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.own_measures import make_measure_known
    from deltadistill.pipeline.report.page import render
    from deltadistill.pipeline.report.publish import headline_figures, write_animations, write_figures
    from deltadistill.pipeline.report.scenes import read_scenes
    from deltadistill.pipeline.results.results import read_results
    from deltadistill.pipeline.results.summary import summarise, write_summary
    from deltadistill.pipeline.results.variants import variants_of

    params = parameters.load(args.params)
    make_measure_known(args.data, params)
    with tracking.stage_run("write_report", params=params, folder=args.results) as run:
        results = read_results(
            args.results,
            data=args.data,
            seeds=params.seeds,
            variants=variants_of(params),
            distilled=params.distill.trainings,
            videos=params.evaluate_videos.variants,
        )
        shown, scenes = params.write_report.pictures, ()
        if shown:
            scenes = read_scenes(
                args.artifacts,
                data=args.data,
                seed=params.seeds[0],
                variants=results.variants,
                period=max(params.write_report.picture_lengths),
                task=params.task,
            )
        summary = summarise(results)
        page = render(results, summary, scenes, pictures=shown)
        written = write_figures(summary, args.results / "figures")
        written += write_animations(results, scenes, args.results / "animations")
        with atomic.file(args.results / "report.html") as unfinished:
            unfinished.write_text(page, encoding="utf-8")
        write_summary(summary, args.results / "summary.json")
        for path in [args.results / "report.html", *written]:
            run.figure(path)
        run.dataset(args.data / "manifest.csv")
        run.headline(headline_figures(summary))
        for name, points in summary.variants.items():
            scores = {length: point.score for length, point in points.items()}
            run.curve(f"{summary.measure.key}/{name}", scores)


if __name__ == "__main__":
    stage_arguments.run(main)
