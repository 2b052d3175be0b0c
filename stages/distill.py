"""Train one network from the teacher: delta or feature distillation, or a per-frame rival.

delta, feature and fgfi put students beside the teacher's blocks, search which blocks to compress, settle, and
finetune (Eq. 5). per_frame trains the teacher on, on the same frames for as many steps; small trains a
cheaper network on labels and the teacher's output, for as many steps as teacher and distillation together;
flow_scale the scale map of Deep Feature Flow, skip_gates the gates of Skip-Convolutions.
An interrupted run goes on from its last checkpoint in .checkpoints/ and ends with the same result. A search
over measured costs (search.cost: milliseconds) measures once, and its result is another in every new run.
"""

from deltadistill.pipeline import stage_arguments
from deltadistill.processes import launch


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder of manifest.csv",
        teacher="teacher.pt",
        training="a name of distill.trainings",
        seed="of students, batches, augmentation and gates",
        artifacts="folder for network.pt",
        results="folder for curves and architecture",
    )
    launch.over_all_processes()
    import torch

    from deltadistill.data.frames import FrameStore
    from deltadistill.forward.outputs import FrameOutputs
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.recipe_by_method import train_network
    from deltadistill.pipeline.training_run import TrainingRun
    from deltadistill.processes import group as processes
    from deltadistill.processes.checkpoint import checkpoint_of
    from deltadistill.stored.architecture import load_network
    from deltadistill.stored.network_file import read_network_file, save_network
    from deltadistill.tasks import of_dataset as tasks

    params = parameters.load(args.params)
    stage_arguments.of_training(args.training, params.distill.trainings)
    mine = params.distill.of_training(args.training)
    with (
        processes.joined() as group,
        tracking.stage_run(
            "distill", params=params, folder=args.results, seed=args.seed, variant=args.training
        ) as run,
    ):
        store = FrameStore.open(args.data, cache_gib=params.training.cache_gib)
        torch.manual_seed(args.seed)
        model = read_network_file(args.teacher)["model"]
        teacher = load_network(args.teacher, own_names=[params.model.name]).to(group.device)
        checkpoint = checkpoint_of(
            f"distill-{args.training}",
            [mine.model_dump(), params.boxes.model_dump(), params.pretrain_teacher.model_dump(), args.seed],
            [args.data / "manifest.csv", args.data / "dataset.json", args.teacher],
            minutes=params.training.checkpoint_minutes,
        )
        training_run = TrainingRun.of_stage(
            params.training, group, checkpoint=checkpoint, log=run.log, title=args.training
        )
        task = tasks.build(
            store.manifest.info,
            boxes=params.boxes.model_dump(),
            loss=params.pretrain_teacher.loss.model_dump(),
            named=params.task,
        )
        trained, model = train_network(
            args.training, teacher, model, task, store, params, seed=args.seed, run=training_run
        )
        if group.is_first:
            network = trained.network.cpu()
            save_network(args.artifacts / "network.pt", network, model, architecture=trained.architecture)
            _write_results(args.results, trained, (3, *store.size), cost=mine.search.cost)
            run.dataset(args.data / "manifest.csv")
            run.model(FrameOutputs(network), torch.zeros(2, 3, *store.size))
    if group.is_first:
        checkpoint.remove()


def _write_results(results, trained, size, *, cost):  # noqa: ANN001
    from dataclasses import asdict

    from deltadistill.account.macs import count_macs
    from deltadistill.files.result_files import write_csv
    from deltadistill.pipeline.results import training_files as files
    from deltadistill.pipeline.results.files import plain, records, write
    from deltadistill.stored.architecture import architecture_report

    outcome, network = trained.outcome, trained.network
    curve = records(files.TrainingStep, outcome.curve)
    further = sorted(
        {name for row in outcome.curve for name in row} - set(files.TrainingStep.__annotations__)
    )
    rows = [
        plain(step) | {name: row.get(name) for name in further}
        for step, row in zip(curve, outcome.curve, strict=True)
    ]
    write_csv(results / "curve.csv", [*files.DISTILLATION, *further], rows)
    write(results / "layers.csv", records(files.LayerError, trained.layers), kind=files.LayerError)
    share = curve[-1].compressed_share
    score = files.DistillationScore(outcome.best_score, outcome.best_step, share)
    write(results / "metrics.json", score)
    report = architecture_report(
        network, count_macs(network, size), trained.architecture, trained.gate_probabilities
    )
    costs = None if trained.costs is None else files.MeasuredCosts(unit=cost, **asdict(trained.costs))
    write(results / "architecture.json", files.Architecture(**report, costs=costs))


if __name__ == "__main__":
    stage_arguments.run(main)
