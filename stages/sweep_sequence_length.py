"""Score one variant at every sequence length T, with every labelled frame at every position; count costs.

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
    from deltadistill.evaluation.costs_by_length import costs_by_length
    from deltadistill.evaluation.peak_memory import peak_memory
    from deltadistill.evaluation.positions import scores_by_length
    from deltadistill.pipeline.evaluated import evaluation

    with evaluation("sweep_sequence_length", args) as variant:
        mine, store = variant.params.sweep_sequence_length, variant.store
        teacher, predictor, runs = variant.load(args.teacher), variant.predictor(), _runs(mine, store)
        counting = variant.counting([max(mine.lengths), mine.reference, mine.batch], args.teacher)
        metrics = _metrics(variant, predictor, teacher, runs, counting)
        if not variant.group.is_first:
            return
        accuracy = scores_by_length(variant.task, metrics, mine.lengths, store.classes)
        given = {"size": (3, *store.size), "networks": variant.networks, "store": store}
        cost = costs_by_length(predictor, variant.network, teacher, mine.lengths, **given)
        memory = peak_memory(predictor, variant.network, given["size"], of_streams=mine.stream_memory)
        lengths = {length: accuracy[length] | cost[length] | memory for length in mine.lengths}
        for length, scores in lengths.items():
            logged = {name: scores[name] for name in (variant.task.measure.key, "macs_ratio")}
            variant.run.log(logged, step=length)
        _write_scores(args, mine.reference, variant.task, runs, lengths)
        _keep_examples(args, variant, predictor)
    counting.parts.remove()


def _runs(mine, store):  # noqa: ANN001
    from deltadistill.evaluation.positions import position_runs

    clips, longest, labels_needed = (
        store.manifest.clips("test"),
        max(mine.lengths),
        mine.reference == "labels",
    )
    runs = position_runs(clips, longest, counts=store.is_annotated if labels_needed else None)
    if not runs:
        raise ValueError(
            f"no {'labelled ' if labels_needed else ''}frame of the test split can stand at {longest} "
            f"positions: its clips have at most {max(map(len, clips.values()))} frames; "
            "lower sweep_sequence_length.lengths or bring longer clips"
        )
    return runs


def _metrics(variant, predictor, teacher, runs, counting):  # noqa: ANN001
    from deltadistill.evaluation.frames import reference_of
    from deltadistill.evaluation.positions import score_positions

    mine, store, task = variant.params.sweep_sequence_length, variant.store, variant.task
    reference = reference_of(mine.reference, task, store, teacher)
    given = {"longest": max(mine.lengths), "batch": mine.batch, "counting": counting}
    return score_positions(predictor, task, store, runs, reference, **given)


def _write_scores(args, reference, task, runs, lengths):  # noqa: ANN001
    from deltadistill.evaluation.positions import scored
    from deltadistill.metrics.measures import make_known
    from deltadistill.pipeline.results.files import write
    from deltadistill.pipeline.results.sweep_file import Sweep, SweepRow

    make_known(task.measure)
    sweep = Sweep(args.variant, reference, len(scored(runs)), lengths)
    write(args.results / "sweep.json", sweep)
    write(args.results / "sweep.csv", sweep.rows, kind=SweepRow)


def _keep_examples(args, variant, predictor):  # noqa: ANN001
    import numpy as np

    from deltadistill.evaluation.examples import example_predictions
    from deltadistill.files import atomic

    clips = variant.store.manifest.clips("test")
    shown = dict(list(clips.items())[: variant.params.sweep_sequence_length.example_clips])
    lengths = variant.params.write_report.picture_lengths
    with atomic.file(args.artifacts / "examples.npz") as path:
        kept = example_predictions(predictor, variant.task, variant.store, shown, lengths=lengths)
        np.savez_compressed(path, **kept)


if __name__ == "__main__":
    stage_arguments.run(main)
