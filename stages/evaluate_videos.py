"""Run one variant over whole test videos, each a stream without a reset, at every schedule of key frames.

Scores every labelled frame, or without labels every frame against the per-frame teacher, and takes down what
each answer cost on the way: MACs, milliseconds here, bytes kept for the next frame. So schedules that look at
the pictures, and predictors that learn, are measured as they are used. What an interrupted run has counted is
kept, in .checkpoints/, video by video.
"""

from deltadistill.pipeline import stage_arguments
from deltadistill.processes import launch

STAGE = "evaluate_videos"


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder of manifest.csv",
        network="the variant's network",
        teacher="the per-frame teacher, for ratios",
        variant="a name of `variants` in the parameter file",
        seed="which seed the network is of (recorded only)",
        results="folder for videos.json and videos.csv",
    )
    launch.over_all_processes()
    from deltadistill.account.macs import count_macs
    from deltadistill.account.network_costs import network_costs
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.evaluated import load, open_variant
    from deltadistill.predictors.predictor import MAIN
    from deltadistill.processes import group as processes

    params = parameters.load(args.params)
    with (
        processes.joined() as group,
        tracking.stage_run(
            STAGE, params=params, folder=args.results, seed=args.seed, variant=args.variant
        ) as run,
    ):
        variant, teacher = open_variant(args, params, group), load(args.teacher, params, group)
        size = (3, *variant.store.size)
        costs = network_costs({MAIN: variant.network, **variant.networks}, size)
        found, kept = {}, []
        for name, key_frames in params.evaluate_videos.schedules.items():
            scores, parts = _scores(args, params, variant, teacher, costs, name, key_frames, group)
            found[name] = scores
            kept.append(parts)
            run.log({f"{name}_{key}": value for key, value in scores.items() if isinstance(value, float)})
        if not group.is_first:
            return
        _write(args, params.evaluate_videos.reference, variant.task, found, count_macs(teacher, size).teacher)
    for parts in kept:
        parts.remove()


def _scores(args, params, variant, teacher, costs, name, key_frames, group):  # noqa: ANN001
    """What describe_videos says of one schedule, and the counts to remove when all is written."""
    from deltadistill.evaluation.counting import batch_bar
    from deltadistill.evaluation.frames import reference_of
    from deltadistill.evaluation.videos import describe_videos, score_videos
    from deltadistill.pipeline.evaluated import kept_parts
    from deltadistill.predictors.key_schedules import build_schedule

    reference, store, task = params.evaluate_videos.reference, variant.store, variant.task
    settings = [name, key_frames.schedule, key_frames.options, reference]
    parts = kept_parts(f"{STAGE}-{name}", args, params, variant, settings, args.teacher)
    videos = score_videos(
        variant.predictor(),
        task,
        store,
        store.manifest.clips("test"),
        reference_of(reference, task, store, teacher),
        schedule=build_schedule(key_frames.schedule, key_frames.options),
        counts=store.is_annotated if reference == "labels" else None,
        costs=costs,
        parts=parts,
        progress=batch_bar(f"{args.variant}, key frames {name}", group),
        group=group,
    )
    return describe_videos(task, videos), parts


def _write(args, reference, task, found, teacher_macs):  # noqa: ANN001
    from deltadistill.metrics.measures import make_known
    from deltadistill.pipeline.results.files import write
    from deltadistill.pipeline.results.videos_file import VideoRow, Videos, score_of

    make_known(task.measure)
    scores = {name: score_of(described, teacher_macs) for name, described in found.items()}
    videos = Videos(args.variant, reference, scores)
    write(args.results / "videos.json", videos)
    write(args.results / "videos.csv", videos.rows, kind=VideoRow)


if __name__ == "__main__":
    stage_arguments.run(main)
