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
    from deltadistill.pipeline.evaluated import evaluation
    from deltadistill.pipeline.results.consistency_file import Consistency, ConsistencyRow
    from deltadistill.pipeline.results.files import write

    with evaluation("analyze_consistency", args) as variant:
        params, lengths = variant.params, variant.params.sweep_sequence_length.lengths
        predictors = {length: variant.predictor() for length in lengths}
        if not predictors[lengths[0]].uses_history:  # the same at every T
            predictors = {lengths[0]: predictors[lengths[0]]}
        counting = variant.counting([list(predictors), params.analyze_consistency.model_dump()])
        measured = _measured(variant, predictors, counting)
        if not variant.group.is_first:
            return
        scores = {length: measured.get(length, measured[min(measured)]) for length in lengths}
        found = Consistency(args.variant, scores)
        write(args.results / "consistency.json", found)
        write(args.results / "consistency.csv", found.rows, kind=ConsistencyRow)
        for row in found.rows:
            variant.run.log({f"consistency_{row.along}_{row.over}": row.consistency}, step=row.length)
    counting.parts.remove()


def _measured(variant, predictors, counting):  # noqa: ANN001
    from deltadistill.evaluation import agreement
    from deltadistill.evaluation.consistency import has_sequences, measure, unknown

    store, params = variant.store, variant.params
    mine = params.analyze_consistency
    clips = {name: frames[: mine.frames] for name, frames in store.manifest.clips("test").items()}
    given = {"dis_preset": mine.dis_preset, "min_score": params.boxes.shown_score}
    compared = agreement.build(store, clips, variant.task, **given)
    if not has_sequences(clips):
        print("the test split has stills alone, of which none follows another: no agreement is measured")
        return unknown(predictors, compared)
    return measure(predictors, store, clips, compared, batch=mine.batch, counting=counting)


if __name__ == "__main__":
    stage_arguments.run(main)
