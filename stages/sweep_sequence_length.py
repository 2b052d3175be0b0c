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
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.own_designs import import_own_designs
    from deltadistill.predictors import predictor as predictors
    from deltadistill.processes import group as processes
    from deltadistill.stored.architecture import load_network
    from deltadistill.tasks import of_dataset as tasks

    params = parameters.load(args.params)
    mine = params.sweep_sequence_length
    predict = stage_arguments.of_variant(args.variant, params.variants, section="variants").predict
    import_own_designs(params, [params.variants[args.variant].network])
    with (
        processes.joined() as group,
        tracking.stage_run(
            "sweep_sequence_length", params=params, folder=args.results, seed=args.seed, variant=args.variant
        ) as run,
    ):
        store = FrameStore.open(args.data, cache_gib=params.training.cache_gib)
        task = tasks.build(store.manifest.info, boxes=params.boxes.model_dump())
        network = load_network(args.network).to(group.device)
        teacher = load_network(args.teacher).to(group.device)
        clips, longest = store.manifest.clips("test"), max(mine.lengths)
        labels_needed = mine.reference == "labels"
        runs = position_runs(clips, longest, counts=store.is_annotated if labels_needed else None)
        if not runs:
            raise ValueError(
                f"no {'labelled ' if labels_needed else ''}frame of the test split can stand at {longest} "
                f"positions: its clips have at most {max(map(len, clips.values()))} frames; "
                "lower sweep_sequence_length.lengths or bring longer clips"
            )
        parts = _kept_parts(args, params, longest, predict)
        metrics = score_positions(
            predictors.build(predict, network, task, period=longest),
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
        cost = costs_by_length(network, teacher, predict, mine.lengths, size=(3, *store.size))
        lengths = {length: accuracy[length] | cost[length] for length in mine.lengths}
        for length, scores in lengths.items():
            run.log({name: scores[name] for name in (task.measure.key, "macs_ratio")}, step=length)
        _write_scores(args, mine.reference, len(scored(runs)), lengths, task.measure.key)
        variants_by_length = {
            T: predictors.build(predict, network, task, period=T) for T in params.write_report.picture_lengths
        }
        shown = dict(list(clips.items())[: mine.example_clips])
        with atomic.file(args.artifacts / "examples.npz") as path:
            np.savez_compressed(path, **example_predictions(variants_by_length, task, store, shown))
    parts.remove()


def _kept_parts(args, params, longest, predict):  # noqa: ANN001
    from deltadistill.resumption.kept_counts import parts_of

    mine = params.sweep_sequence_length
    return parts_of(
        f"sweep_sequence_length-{args.variant}-seed{args.seed}",
        [longest, mine.reference, mine.batch, predict, params.boxes.model_dump()],
        [args.data / "manifest.csv", args.data / "dataset.json", args.network, args.teacher],
        minutes=params.training.checkpoint_minutes,
    )


def _write_scores(args, reference, labelled_frames, lengths, main):  # noqa: ANN001
    from deltadistill.files.result_files import write_csv, write_json

    content = {
        "variant": args.variant,
        "reference": reference,
        "labelled_frames": labelled_frames,
        "lengths": lengths,
    }
    write_json(args.results / "sweep.json", content)
    rows = [{"length": length, "score": scores[main], **scores} for length, scores in lengths.items()]
    write_csv(args.results / "sweep.csv", ["length", "score", "gmacs", "macs_ratio"], rows)


if __name__ == "__main__":
    stage_arguments.run(main)
