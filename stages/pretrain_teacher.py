"""Train the per-frame network, the teacher of everything later.

Reads the data set's train split, looks at the tune split every so often and keeps the best network.
--start-from is a network of an earlier run, a public checkpoint or an ImageNet backbone (load_weights); what
it does not have stays random, and is named. With steps: 0 it is taken as it is and must have everything.
An interrupted run goes on from its last checkpoint in .checkpoints/ and ends with the same result.
"""

from deltadistill.pipeline import stage_arguments
from deltadistill.processes import launch


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder of manifest.csv",
        start_from="weights to load; weights/random for none, weights/own for the network's own",
        seed="of weights, batches and augmentation",
        artifacts="folder for teacher.pt",
        results="folder for curve and scores",
    )
    launch.over_all_processes()
    import torch

    from deltadistill.data.frames import FrameStore
    from deltadistill.evaluation.frames import labelled_frames, per_frame_score
    from deltadistill.forward.outputs import FrameOutputs
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.recipe_per_frame import train_per_frame
    from deltadistill.pipeline.training_run import TrainingRun
    from deltadistill.processes import group as processes
    from deltadistill.processes.checkpoint import checkpoint_of
    from deltadistill.stored.network_file import save_network
    from deltadistill.tasks import of_dataset as tasks
    from deltadistill.training.loop import Outcome

    params = parameters.load(args.params)
    mine = params.pretrain_teacher
    with (
        processes.joined() as group,
        tracking.stage_run("pretrain_teacher", params=params, folder=args.results, seed=args.seed) as run,
    ):
        store = FrameStore.open(args.data, cache_gib=params.training.cache_gib)
        options = dict(params.model.options)
        model = {"name": params.model.name, "classes": len(store.classes), "options": options}
        task = tasks.build(
            store.manifest.info,
            boxes=params.boxes.model_dump(),
            loss=mine.loss.model_dump(),
            named=params.task,
        )
        network = _started(args, mine, model, group)
        checkpoint = checkpoint_of(
            "pretrain_teacher",
            [mine.model_dump(), params.boxes.model_dump(), model, args.seed],
            [args.data / "manifest.csv", args.data / "dataset.json", args.start_from],
            minutes=params.training.checkpoint_minutes,
        )
        outcome = Outcome()
        if mine.steps:
            training_run = TrainingRun.of_stage(
                params.training, group, checkpoint=checkpoint, log=run.log, title="teacher"
            )
            outcome = train_per_frame(network, task, store, mine, seed=args.seed, run=training_run)
        tune = labelled_frames(store, "tune")
        metric = per_frame_score(network, task, store, tune, task.reference(store), group=group)
        if group.is_first:
            save_network(args.artifacts / "teacher.pt", network.cpu(), model)
            found = task.scores(metric) if tune else None
            logged = _write_results(args.results, task.measure, found, store.classes, outcome)
            run.log(logged, step=outcome.best_step)
            run.dataset(args.data / "manifest.csv")
            run.model(FrameOutputs(network.eval()), torch.zeros(2, 3, *store.size))
    if group.is_first:
        checkpoint.remove()


def _started(args, mine, model, group):  # noqa: ANN001
    """The network with the weights that it starts from, on the group's device."""
    import torch

    from deltadistill import models
    from deltadistill.pipeline.params import NO_WEIGHTS, OWN_WEIGHTS
    from deltadistill.stored.weights import load_weights

    torch.manual_seed(args.seed)
    network = models.build(model["name"], classes=model["classes"], **model["options"])
    if str(args.start_from) not in (NO_WEIGHTS, OWN_WEIGHTS):
        loaded = load_weights(network, args.start_from, strict=mine.steps == 0)
        if loaded.missing and group.is_first:
            print(f"{args.start_from} does not have, so random: {', '.join(loaded.missing)}")
    return network.to(group.device)


def _write_results(results, measure, found, classes, outcome):  # noqa: ANN001
    """Write curve and scores (None: nothing to score); the scores of classes in percent, to be logged."""
    from deltadistill.pipeline.results import training_files as files
    from deltadistill.pipeline.results.files import records, write

    curve = records(files.TrainingStep, outcome.curve)
    write(results / "curve.csv", curve, columns=files.PRETRAINING)
    per_class = dict(zip(classes, found.by_class, strict=True)) if found else {}
    rows = [files.ClassScore(name, 100 * value) for name, value in per_class.items()]
    write(results / "per_class.csv", rows, columns=("class", "score"))
    percent = 100 * found.overall[measure.key] if found else None
    write(results / "metrics.json", files.TrainingScore(percent, outcome.best_step))
    return {f"{measure.class_key}/{name}": 100 * value for name, value in per_class.items()}


if __name__ == "__main__":
    stage_arguments.run(main)
