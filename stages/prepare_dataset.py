"""Stage prepare_dataset: clips and labels, described by one manifest.

kind generated   makes street clips with dense labels, exact flow and boxes, in the layout of Cityscapes
kind cityscapes  reads a folder in that layout where it lies; nothing is copied
kind video       takes the frames of video files or folders, cut into shots; no labels

Writes manifest.csv and dataset.json (and the frames, where it makes any) to --data, the counts and a contact
sheet to --results. Later stages read the manifest and nothing else.
"""

import shutil
from pathlib import Path

from tqdm import tqdm

from deltadistill import atomic, stage_arguments
from deltadistill import params as parameters
from deltadistill.data.cityscapes import Layout, read_cityscapes
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
            MAKERS[params.prepare_dataset.kind](params.prepare_dataset, folder).write(folder / "manifest.csv")
        manifest = Manifest.read(args.data / "manifest.csv")
        args.results.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(args.data / "dataset.json", args.results / "dataset.json")
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
        train=p.train, tune=p.tune, test=p.test, tune_every=p.tune_every,
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


MAKERS = {"generated": make_generated, "cityscapes": read_in_place, "video": extract_video}

if __name__ == "__main__":
    stage_arguments.run(main)
