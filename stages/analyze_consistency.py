"""Measure how well successive predictions of one variant agree along the motion of the scene.

Every test clip is run as a stream, once for each sequence length T; each prediction is compared with the one
before. Labels are warped along the flow: the data set's exact flow where there is one, and OpenCV's DIS flow;
"all" counts every pixel that was inside the image before, "visible" only those not occluded. Detections are
carried along the true motion of their tracks. Percent. What an interrupted run has counted is kept, in
.checkpoints/.
"""

from deltadistill.pipeline import stage_arguments
from deltadistill.processes import launch

STAGE = "analyze_consistency"


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
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.evaluated import kept_parts, open_variant
    from deltadistill.pipeline.results.consistency_file import Consistency, ConsistencyRow
    from deltadistill.pipeline.results.files import write
    from deltadistill.processes import group as processes

    params = parameters.load(args.params)
    mine, lengths = params.analyze_consistency, params.sweep_sequence_length.lengths
    with (
        processes.joined() as group,
        tracking.stage_run(
            STAGE, params=params, folder=args.results, seed=args.seed, variant=args.variant
        ) as run,
    ):
        variant = open_variant(args, params, group)
        predictors = {length: variant.predictor() for length in lengths}
        if not predictors[lengths[0]].uses_history:  # the same at every T
            predictors = {lengths[0]: predictors[lengths[0]]}
        parts = kept_parts(STAGE, args, params, variant, [list(predictors), mine.model_dump()])
        measured = _measured(args, params, variant, predictors, parts, group)
        if not group.is_first:
            return
        scores = {length: measured.get(length, measured[min(measured)]) for length in lengths}
        found = Consistency(args.variant, scores)
        write(args.results / "consistency.json", found)
        write(args.results / "consistency.csv", found.rows, kind=ConsistencyRow)
        for row in found.rows:
            run.log({f"consistency_{row.along}_{row.over}": row.consistency}, step=row.length)
    parts.remove()


def _measured(args, params, variant, predictors, parts, group):  # noqa: ANN001
    from deltadistill.evaluation import agreement
    from deltadistill.evaluation.consistency import measure
    from deltadistill.evaluation.counting import batch_bar

    mine, clips = params.analyze_consistency, variant.store.manifest.clips("test")
    compared = agreement.build(
        variant.store, clips, variant.task, dis_preset=mine.dis_preset, min_score=params.boxes.shown_score
    )
    return measure(
        predictors,
        variant.store,
        clips,
        compared,
        batch=mine.batch,
        parts=parts,
        progress=batch_bar(f"consistency of {args.variant}", group),
        group=group,
    )


if __name__ == "__main__":
    stage_arguments.run(main)
