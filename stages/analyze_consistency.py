"""Measure how well successive predictions of one variant agree along the motion of the scene.

Every test clip is run as a stream, once for each sequence length T; each prediction is compared with the one
before. Labels are warped along the flow: the data set's exact flow where there is one, and OpenCV's DIS flow;
"all" counts every pixel that was inside the image before, "visible" only those not occluded. Detections are
carried along the true motion of their tracks. Percent. What an interrupted run has counted is kept, in
.checkpoints/.
"""

from deltadistill.pipeline import stage_arguments
from deltadistill.processes import launch


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder of manifest.csv",
        network="the variant's network, a .pt file",
        variant="a name of the section variants: how it predicts",
        seed="which seed the network is of (recorded only)",
        results="folder for consistency.json and .csv",
    )
    launch.over_all_processes()
    from deltadistill.data.frames import FrameStore
    from deltadistill.evaluation import agreement
    from deltadistill.evaluation.consistency import measure
    from deltadistill.evaluation.counting import batch_bar
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.own_designs import import_own_designs
    from deltadistill.pipeline.results.consistency_file import Consistency, ConsistencyRow
    from deltadistill.pipeline.results.files import write
    from deltadistill.predictors import predictor as predictors
    from deltadistill.processes import group as processes
    from deltadistill.stored.architecture import load_network
    from deltadistill.tasks import of_dataset as tasks

    params = parameters.load(args.params)
    mine, lengths = params.analyze_consistency, params.sweep_sequence_length.lengths
    variant = stage_arguments.of_variant(args.variant, params.variants)
    import_own_designs(params, [variant.network])
    with (
        processes.joined() as group,
        tracking.stage_run(
            "analyze_consistency", params=params, folder=args.results, seed=args.seed, variant=args.variant
        ) as run,
    ):
        store = FrameStore.open(args.data, cache_gib=params.training.cache_gib)
        clips = store.manifest.clips("test")
        task = tasks.build(store.manifest.info, boxes=params.boxes.model_dump(), named=params.task)
        network = load_network(args.network, own_names=[params.model.name]).to(group.device)
        by_length = {
            T: predictors.build(variant.predict, network, task, options=variant.options) for T in lengths
        }
        if not by_length[lengths[0]].uses_history:  # the same at every T
            by_length = {lengths[0]: by_length[lengths[0]]}
        parts = _kept_parts(args, params, list(by_length), variant)
        measured = measure(
            by_length,
            store,
            clips,
            agreement.build(
                store, clips, task, dis_preset=mine.dis_preset, min_score=params.boxes.shown_score
            ),
            batch=mine.batch,
            parts=parts,
            progress=batch_bar(f"consistency of {args.variant}", group),
            group=group,
        )
        if not group.is_first:
            return
        scores = {length: measured.get(length, measured[min(measured)]) for length in lengths}
        found = Consistency(args.variant, scores)
        write(args.results / "consistency.json", found)
        write(args.results / "consistency.csv", found.rows, kind=ConsistencyRow)
        for row in found.rows:
            run.log({f"consistency_{row.along}_{row.over}": row.consistency}, step=row.length)
    parts.remove()


def _kept_parts(args, params, lengths, variant):  # noqa: ANN001
    from deltadistill.processes.kept_counts import parts_of

    return parts_of(
        f"analyze_consistency-{args.variant}-seed{args.seed}",
        [
            lengths,
            params.analyze_consistency.model_dump(),
            variant.predict,
            variant.options,
            params.boxes.model_dump(),
            params.task,
        ],
        [args.data / "manifest.csv", args.data / "dataset.json", args.network],
        minutes=params.training.checkpoint_minutes,
    )


if __name__ == "__main__":
    stage_arguments.run(main)
