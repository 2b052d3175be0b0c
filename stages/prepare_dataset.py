"""Stage prepare_dataset: clips and labels, described by one manifest.

kind generated   makes street clips with dense labels, exact flow and boxes, in the layout of Cityscapes
kind cityscapes  reads a folder in that layout where it lies; nothing is copied
kind video       takes the frames of video files or folders, cut into shots; no labels
kind masks       reads folders of frames and label images where they lie

kind generated_detection  makes street clips with boxes, in the layout of ImageNet VID and DET
kind imagenet_vid         reads a folder in that layout where it lies
kind coco_video           reads COCO-style video JSON; the pictures stay where they lie

kind generated_classification  makes clips of shapes with a class for every frame, a folder for each class
kind imagefolder               reads folders of classes, of pictures or clips of frames, where they lie
kind generated_objects         makes pictures of things of streets, in STL-10's binary layout
kind stl10, fashion_mnist      unpack the pictures of such files
kind cifar10, celeba           the same of theirs; of a face the middle

Writes manifest.csv and dataset.json (and frames and boxes, where it makes any) to --data, the counts and a
contact sheet to --results. Boxes are also written as COCO-style video JSON, for other programs. Later stages
read the manifest, and what it names.
"""

import shutil

from deltadistill.files import atomic
from deltadistill.pipeline import params as parameters
from deltadistill.pipeline import stage_arguments


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder to make: data/<experiment>",
        results="folder for counts and contact sheet",
    )
    from deltadistill.data.frames import FrameStore
    from deltadistill.data.manifest import Manifest
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.dataset_kinds import make_dataset
    from deltadistill.preparation.coco_video_file import write_coco_video
    from deltadistill.preparation.contact_sheet import draw_contact_sheet

    params = parameters.load(args.params)
    with tracking.stage_run("prepare_dataset", params=params, folder=args.results) as run:
        with atomic.folder(args.data) as folder:
            made = make_dataset(params.prepare_dataset, folder)
            made.write(folder / "manifest.csv")
            if made.info.annotation == "boxes":
                write_coco_video(made, folder / "annotations")
        manifest = Manifest.read(args.data / "manifest.csv")
        with atomic.file(args.results / "dataset.json") as copy:
            shutil.copyfile(args.data / "dataset.json", copy)
        with atomic.file(args.results / "contact_sheet.png") as picture:
            draw_contact_sheet(FrameStore(manifest), picture)
        counts = manifest.counts()
        run.log({f"{what}_{split}": n for what, splits in counts.items() for split, n in splits.items()})
        run.dataset(args.data / "manifest.csv")
        run.figure(args.results / "contact_sheet.png")
    print(", ".join(f"{split}: {n} frames" for split, n in counts["frames"].items()))


if __name__ == "__main__":
    stage_arguments.run(main)
