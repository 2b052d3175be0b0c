"""Label the frames of the train split that have no label, with any network that segments.

Its file is one of this project, a state dict of one of torchvision's networks, or an ONNX file; no code from
it is run. Pixels that the network is unsure of are ignored. Writes a data set of its own to --labelled: the
frames and labels of --data, where they are, and the new labels, marked as pseudo-labels in the manifest. An
interrupted run keeps the labels it has made, in .checkpoints/, and goes on with the other frames.
"""

from deltadistill.pipeline import stage_arguments
from deltadistill.processes import launch


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder of manifest.csv",
        network="file of the network that labels",
        labelled="folder for the labels and a manifest with them: labelled/<experiment>",
        results="folder for the shares of the classes",
    )
    launch.over_all_processes()
    import shutil

    from tqdm import tqdm

    from deltadistill.data.frames import FrameStore, normalise
    from deltadistill.data.manifest import PSEUDO
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.results.dataset_file import PseudoLabels
    from deltadistill.pipeline.results.files import write
    from deltadistill.preparation.class_map import map_classes
    from deltadistill.preparation.labeller import open_labeller
    from deltadistill.preparation.pseudo_labels import (
        class_shares,
        label_frames,
        places_of_labels,
        put_together,
    )
    from deltadistill.processes import group as processes
    from deltadistill.processes.work_folders import folder_of

    params = parameters.load(args.params)
    mine = params.label_frames
    decides = mine.model_dump(exclude={"folders", "pretrain_teacher", "distill", "network"})
    with (
        processes.joined() as group,
        tracking.stage_run("label_frames", params=params, folder=args.results) as run,
    ):
        store = FrameStore.open(args.data, cache_gib=0)
        places = places_of_labels(store.manifest)
        labeller = open_labeller(
            args.network, mine.kind,
            architecture=mine.architecture, gives=mine.gives, size=mine.size, device=group.device,
        )  # fmt: skip
        look = labeller.logits(normalise(store.image(next(iter(places)))[None]))
        classes = map_classes(
            store.manifest.info.classes, look.shape[1], mine.classes, source=str(args.network)
        )
        inputs = [args.data / "manifest.csv", args.data / "dataset.json", args.network]
        unfinished = folder_of("label_frames", decides, inputs)
        with tqdm(total=len(places), unit="frame", desc="labels", disable=not group.is_first) as bar:
            label_frames(
                store, places, unfinished,
                lambda frames: classes.label(labeller.logits(frames), threshold=mine.threshold),
                batch=mine.batch, group=group, on_frames=bar.update,
            )  # fmt: skip
        if not group.is_first:
            return
        made = put_together(store.manifest, places, unfinished, args.labelled)
        shares = class_shares(made, [frame.label for frame in made.frames if frame.origin == PSEUDO])
        write(args.results / "labels.json", PseudoLabels(len(places), shares))
        run.log({f"share/{name}": share for name, share in shares.items()})
        run.dataset(args.labelled / "manifest.csv")
    shutil.rmtree(unfinished)
    print(f"{len(places)} frames labelled, {shares['ignored']:.1%} of the pixels ignored")


if __name__ == "__main__":
    stage_arguments.run(main)
