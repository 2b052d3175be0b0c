"""Stage prepare_dataset: clips and labels, described by one manifest.

kind generated   makes street clips with dense labels, exact flow and boxes, in the layout of Cityscapes
kind cityscapes  reads a folder in that layout where it lies; nothing is copied
kind video       takes the frames of video files or folders, cut into shots; no labels

kind generated_detection  makes street clips with boxes, in the layout of ImageNet VID and DET
kind imagenet_vid         reads a folder in that layout where it lies
kind coco_video           reads COCO-style video JSON; the pictures stay where they lie

Writes manifest.csv and dataset.json (and frames and boxes, where it makes any) to --data, the counts and a
contact sheet to --results. Boxes are also written as COCO-style video JSON, for other programs. Later stages
read the manifest, and what it names.
"""

import shutil
from pathlib import Path

from tqdm import tqdm

from deltadistill import atomic, stage_arguments
from deltadistill import params as parameters
from deltadistill.data.cityscapes import Layout, read_cityscapes
from deltadistill.data.class_table import read_class_table
from deltadistill.data.coco_video import CocoFile, read_coco_video
from deltadistill.data.coco_video_file import write_coco_video
from deltadistill.data.imagenet_vid import read_imagenet_vid
from deltadistill.data.label_table import table
from deltadistill.data.manifest import Manifest


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder to make: data/<experiment>",
        results="folder for counts and contact sheet",
    )
    from deltadistill import tracking
    from deltadistill.data.contact_sheet import draw_contact_sheet
    from deltadistill.data.frames import FrameStore

    params = parameters.load(args.params)
    with tracking.stage_run("prepare_dataset", params=params, folder=args.results) as run:
        with atomic.folder(args.data) as folder:
            made = MAKERS[params.prepare_dataset.kind](params.prepare_dataset, folder)
            made.write(folder / "manifest.csv")
            if made.info.fit:
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


def make_generated(section: parameters.PrepareDataset, folder: Path) -> Manifest:
    """Generate clips into `folder` and read them back as any folder in the layout of Cityscapes."""
    from deltadistill.data.street.dataset import write_street

    p = section.generated
    clips = {"train": p.train_clips, "tune": p.tune_clips, "test": p.test_clips}
    with tqdm(total=sum(clips.values()) * p.frames, unit="frame", desc="street clips") as bar:
        write_street(
            folder, clips, frames=p.frames, height=p.height, width=p.width,
            seed=p.seed, noise=p.noise, workers=p.workers, progress=bar.update,
        )  # fmt: skip
    layout = Layout(frames=p.frames, labelled=None)
    return read_cityscapes(
        folder, kind="generated", classes=table("street_8"), layout=layout,
        train=["train"], tune=["tune"], test=["test"],
    )  # fmt: skip


def read_in_place(section: parameters.PrepareDataset, folder: Path) -> Manifest:
    """Describe the data set at `root`, which stays where it is."""
    p = section.cityscapes
    return read_cityscapes(
        Path(p.root).absolute(), kind="cityscapes", classes=table(p.label_table),
        layout=Layout(p.frames_per_snippet, p.labelled_frame),
        train=p.train, tune=p.tune, test=p.test, tune_every=p.tune_every, coarse=p.coarse,
    )  # fmt: skip


def extract_video(section: parameters.PrepareDataset, folder: Path) -> Manifest:
    """Take frames and shots out of video files into `folder`."""
    from deltadistill.data.video import Division, extract_videos

    p = section.video
    division = Division(p.train_fraction, p.tune_fraction, p.min_frames)
    with tqdm(unit="frame", desc="video frames") as bar:
        return extract_videos(
            p.paths, folder, size=(p.height, p.width), division=division, max_frames=p.max_frames,
            scene_cut_threshold=p.scene_cut_threshold, classes=table(p.label_table), progress=bar.update,
        )  # fmt: skip


def make_generated_detection(section: parameters.PrepareDataset, folder: Path) -> Manifest:
    """Generate clips into `folder` and read them back as any folder in the layout of ImageNet VID."""
    from deltadistill.data.street.detection_dataset import Look, write_street_detection

    p = section.generated_detection
    clips = {"train": p.train_clips, "tune": p.tune_clips, "val": p.test_clips, "stills": p.stills}
    look = Look(p.height, p.width, p.noise, p.seed, p.smallest, p.visible)
    frames = (sum(clips.values()) - p.stills) * p.frames + p.stills
    with tqdm(total=frames, unit="frame", desc="street clips") as bar:
        write_street_detection(
            folder, clips, frames=p.frames, look=look, workers=p.workers, progress=bar.update
        )
    return read_imagenet_vid(
        folder, folder, kind="generated_detection", table=read_class_table(p.class_table),
        size=(p.height, p.width), train=["train"], tune=["tune"], test=["val"], stills=["train"],
    )  # fmt: skip


def read_vid_in_place(section: parameters.PrepareDataset, folder: Path) -> Manifest:
    """Describe the data set at `root`, which stays where it is."""
    p = section.imagenet_vid
    with tqdm(unit="frame", desc="annotations") as bar:
        return read_imagenet_vid(
            Path(p.root).absolute(), folder, kind="imagenet_vid", table=read_class_table(p.class_table),
            size=(p.height, p.width), train=p.train, tune=p.tune, test=p.test, stills=p.stills,
            tune_every=p.tune_every, outside=p.outside, workers=p.workers, progress=bar.update,
        )  # fmt: skip


def read_coco_in_place(section: parameters.PrepareDataset, folder: Path) -> Manifest:
    """Describe what the JSON files name; the pictures stay where they are."""
    p = section.coco_video
    files = {
        split: [CocoFile(Path(entry.annotations), Path(entry.images).absolute()) for entry in entries]
        for split, entries in (("train", p.train), ("tune", p.tune), ("test", p.test))
    }
    with tqdm(unit="frame", desc="annotations") as bar:
        return read_coco_video(
            files, folder, kind="coco_video", size=(p.height, p.width),
            tune_every=p.tune_every, outside=p.outside, progress=bar.update,
        )  # fmt: skip


MAKERS = {
    "generated": make_generated,
    "cityscapes": read_in_place,
    "video": extract_video,
    "generated_detection": make_generated_detection,
    "imagenet_vid": read_vid_in_place,
    "coco_video": read_coco_in_place,
}

if __name__ == "__main__":
    stage_arguments.run(main)
