"""Score one variant at every sequence length T, with every labelled frame at every position, and count MACs.

The same frames are scored at every T, each once per distance to the key frame, so that lengths can be
compared. Without labels the reference is the per-frame teacher's own prediction: fidelity.
Also keeps the predictions of a few test clips for the report's pictures. What an interrupted run has counted
is kept, in .checkpoints/.
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
        seed="seed of the trainings, for the record",
        artifacts="folder for examples.npz",
        results="folder for sweep.json and sweep.csv",
    )
    launch.over_all_processes()
    import numpy as np

    from deltadistill.data.frames import FrameStore
    from deltadistill.evaluation.costs_by_length import costs_by_length
    from deltadistill.evaluation.counting import batch_bar
    from deltadistill.evaluation.examples import example_predictions
    from deltadistill.evaluation.frames import teacher_reference
    from deltadistill.evaluation.positions import position_runs, score_positions, scored, scores_by_length
    from deltadistill.files import atomic
    from deltadistill.metrics.measures import make_known
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.own_designs import import_own_designs
    from deltadistill.predictors import predictor as predictors
    from deltadistill.processes import group as processes
    from deltadistill.stored.architecture import load_network
    from deltadistill.tasks import of_dataset as tasks

    params = parameters.load(args.params)
    mine = params.sweep_sequence_length
    variant = stage_arguments.of_variant(args.variant, params.variants)
    import_own_designs(params, [variant.network])
    with (
        processes.joined() as group,
        tracking.stage_run(
            "sweep_sequence_length", params=params, folder=args.results, seed=args.seed, variant=args.variant
        ) as run,
    ):
        store = FrameStore.open(args.data, cache_gib=params.training.cache_gib)
        task = tasks.build(store.manifest.info, boxes=params.boxes.model_dump(), named=params.task)
        network = load_network(args.network, own_names=[params.model.name]).to(group.device)
        teacher = load_network(args.teacher, own_names=[params.model.name]).to(group.device)
        clips, longest = store.manifest.clips("test"), max(mine.lengths)
        labels_needed = mine.reference == "labels"
        runs = position_runs(clips, longest, counts=store.is_annotated if labels_needed else None)
        if not runs:
            raise ValueError(
                f"no {'labelled ' if labels_needed else ''}frame of the test split can stand at {longest} "
                f"positions: its clips have at most {max(map(len, clips.values()))} frames; "
                "lower sweep_sequence_length.lengths or bring longer clips"
            )
        parts = _kept_parts(args, params, longest, variant)
        predictor = predictors.build(variant.predict, network, task, options=variant.options)
        metrics = score_positions(
            predictor,
            task,
            store,
            runs,
            task.reference(store) if labels_needed else teacher_reference(teacher, task, store),
            longest=longest,
            batch=mine.batch,
            parts=parts,
            progress=batch_bar(args.variant, group),
            group=group,
        )
        if not group.is_first:
            return
        accuracy = scores_by_length(task, metrics, mine.lengths, store.classes)
        cost = costs_by_length(predictor, network, teacher, mine.lengths, size=(3, *store.size))
        lengths = {length: accuracy[length] | cost[length] for length in mine.lengths}
        for length, scores in lengths.items():
            run.log({name: scores[name] for name in (task.measure.key, "macs_ratio")}, step=length)
        make_known(task.measure)
        _write_scores(args, mine.reference, len(scored(runs)), lengths)
        shown = dict(list(clips.items())[: mine.example_clips])
        with atomic.file(args.artifacts / "examples.npz") as path:
            drawn = params.write_report.picture_lengths
            np.savez_compressed(path, **example_predictions(predictor, task, store, shown, lengths=drawn))
    parts.remove()


def _kept_parts(args, params, longest, variant):  # noqa: ANN001
    from deltadistill.processes.kept_counts import parts_of

    mine = params.sweep_sequence_length
    return parts_of(
        f"sweep_sequence_length-{args.variant}-seed{args.seed}",
        [
            longest,
            mine.reference,
            mine.batch,
            variant.predict,
            variant.options,
            params.boxes.model_dump(),
            params.task,
        ],
        [args.data / "manifest.csv", args.data / "dataset.json", args.network, args.teacher],
        minutes=params.training.checkpoint_minutes,
    )


def _write_scores(args, reference, labelled_frames, lengths):  # noqa: ANN001
    from deltadistill.pipeline.results.files import write
    from deltadistill.pipeline.results.sweep_file import Sweep, SweepRow

    sweep = Sweep(args.variant, reference, labelled_frames, lengths)
    write(args.results / "sweep.json", sweep)
    write(args.results / "sweep.csv", sweep.rows, kind=SweepRow)


if __name__ == "__main__":
    stage_arguments.run(main)
