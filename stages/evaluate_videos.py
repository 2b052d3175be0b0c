"""Run one variant over whole test videos, each a stream without a reset, at every schedule of key frames.

Scores every labelled frame, or without labels every frame against the per-frame teacher, and takes down what
each answer cost on the way: MACs, milliseconds here, bytes kept for the next frame. So schedules that look at
the pictures, and predictors that learn, are measured as they are used. What an interrupted run has counted is
kept, in .checkpoints/, video by video.
"""

from deltadistill.pipeline import stage_arguments
from deltadistill.processes import launch


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
    from deltadistill.pipeline.evaluated import evaluation
    from deltadistill.predictors.predictor import MAIN

    with evaluation("evaluate_videos", args) as variant:
        teacher, size = variant.load(args.teacher), (3, *variant.store.size)
        mine = variant.params.evaluate_videos
        costs = network_costs({MAIN: variant.network, **variant.networks}, size)
        found, kept = {}, []
        for name, key_frames in mine.schedules.items():
            settings = [key_frames.model_dump(exclude={"windows"}), mine.reference]
            counting = variant.counting(settings, args.teacher, of=name)
            found[name] = _scores(variant, teacher, costs, key_frames, counting)
            kept.append(counting.parts)
            logged = {f"{name}_{key}": each for key, each in found[name].items() if isinstance(each, float)}
            variant.run.log(logged)
        if not variant.group.is_first:
            return
        _write(args, mine.reference, variant.task, found, count_macs(teacher, size).teacher)
    for parts in kept:
        parts.remove()


def _scores(variant, teacher, costs, key_frames, counting):  # noqa: ANN001
    """What describe_videos says of one schedule."""
    from deltadistill.evaluation.frames import reference_of
    from deltadistill.evaluation.videos import describe_videos, score_videos
    from deltadistill.evaluation.windows import times, windows
    from deltadistill.predictors.key_schedules import build_schedule

    name, store, task = variant.params.evaluate_videos.reference, variant.store, variant.task
    reference = reference_of(name, task, store, teacher)
    videos = score_videos(
        variant.predictor(),
        task,
        store,
        store.manifest.clips("test"),
        reference,
        schedule=build_schedule(key_frames.schedule, key_frames.options),
        counts=lambda frame: (
            frame.index % key_frames.scored_every == 0 and (name == "teacher" or store.is_annotated(frame))
        ),
        costs=costs,
        counting=counting,
    )
    courses = {}
    if length := key_frames.windows:
        clips = store.manifest.clips("test")
        courses = {
            clip: windows(video, times(clips[clip]), task.score, length=length)
            for clip, video in videos.items()
        }
    return {**describe_videos(task, videos), "windows": courses}


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
