"""The kinds of data sets: what the section prepare_dataset asks for, made or read, as a manifest."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from deltadistill.data.label_table import table
from deltadistill.data.manifest import SPLITS, Manifest
from deltadistill.pipeline.params import PrepareDataset
from deltadistill.pipeline.params.annotated import CocoVideo, Masks
from deltadistill.pipeline.params.generated import GeneratedStreets
from deltadistill.pipeline.params.videos import Video
from deltadistill.preparation.celeba import celeba_to_folders
from deltadistill.preparation.cifar10 import cifar10_to_folders
from deltadistill.preparation.cityscapes import Layout, read_cityscapes
from deltadistill.preparation.class_table import read_class_table
from deltadistill.preparation.coco_video import CocoFile, read_coco_video
from deltadistill.preparation.davis import read_davis
from deltadistill.preparation.division import Division
from deltadistill.preparation.extraction import Reading
from deltadistill.preparation.fashion_mnist import fashion_mnist_to_folders
from deltadistill.preparation.image_folder import read_image_folder
from deltadistill.preparation.imagenet_vid import read_imagenet_vid
from deltadistill.preparation.label_table_file import open_label_table
from deltadistill.preparation.masks import MaskFolders, read_masks
from deltadistill.preparation.moving_shapes import Clips, write_shapes
from deltadistill.preparation.stl10 import stl10_to_folders
from deltadistill.preparation.street.dataset import write_street
from deltadistill.preparation.street.detection_dataset import Look, write_street_detection
from deltadistill.preparation.street.long_clip import Course
from deltadistill.preparation.street.objects import write_objects
from deltadistill.preparation.street.streams import StreamJob, write_streams
from deltadistill.preparation.video import BoxesOf, extract_videos

Place = TypeVar("Place")


def make_dataset(section: PrepareDataset, folder: Path) -> Manifest:
    """The data set of the section's `kind`; what of it is written goes into `folder`, with a progress bar.

    Raises ValueError for files that are not as the kind has them.
    """
    return _MAKERS[section.kind](section, folder)


def _make_generated(section: PrepareDataset, folder: Path) -> Manifest:
    """Generate clips into `folder` and read them back as any folder in the layout of Cityscapes.

    Videos of minutes are described as they were written, and stand in the place of the clips of their split.
    """
    p = section.generated
    jobs = _stream_jobs(p, folder)
    clips = {"train": p.train_clips, "tune": p.tune_clips, "test": p.test_clips}
    clips = {split: count for split, count in clips.items() if split not in {job.split for job in jobs}}
    frames = sum(clips.values()) * p.frames + sum(job.frames for job in jobs)
    with tqdm(total=frames, unit="frame", desc="street clips") as bar:
        write_street(
            folder, clips, frames=p.frames, height=p.height, width=p.width,
            seed=p.seed, noise=p.noise, workers=p.workers, progress=bar.update,
        )  # fmt: skip
        rows = write_streams(jobs, workers=p.workers, progress=bar.update)
    layout = Layout(frames=p.frames, labelled=None)
    folders = {split: [split] if split in clips else [] for split in SPLITS}
    read = read_cityscapes(folder, kind="generated", classes=table("street_8"), layout=layout, **folders)
    return Manifest.of([*read.frames, *rows], read.info)


def _stream_jobs(section: GeneratedStreets, folder: Path) -> list[StreamJob]:
    look = {name: getattr(section, name) for name in ("height", "width", "seed", "noise")}
    jobs = []
    for name, of in section.streams.items():
        course = Course(of.camera, of.scenes, of.hold, of.day)
        given = {"frames": of.frames, "labelled_every": of.labelled_every, "course": course, **look}
        jobs += [StreamJob(folder, of.split, name, number, **given) for number in range(of.videos)]
    return jobs


def _read_in_place(section: PrepareDataset, folder: Path) -> Manifest:
    """Describe the data set at `root`, which stays where it is."""
    p = section.cityscapes
    return read_cityscapes(
        _place(p.root), kind="cityscapes", classes=open_label_table(p.label_table),
        layout=Layout(p.frames_per_snippet, p.labelled_frame),
        train=p.train, tune=p.tune, test=p.test, tune_every=p.tune_every, coarse=p.coarse,
    )  # fmt: skip


def _extract_video(section: PrepareDataset, folder: Path) -> Manifest:
    """Take frames and shots out of video files into `folder`."""
    p = section.video
    _require_files(p)
    division = Division(p.train_fraction, p.tune_fraction, p.min_frames)
    reading = Reading(p.max_frames, p.damaged, p.folder_numbers, p.max_step, p.fit)
    with tqdm(unit="frame", desc="video frames") as bar:
        return extract_videos(
            p.paths, folder, size=(p.height, p.width), division=division, reading=reading,
            scene_cut_threshold=p.scene_cut_threshold, classes=open_label_table(p.label_table),
            ranges=p.frames.model_dump() if p.frames else None, each_shot=p.each_shot,
            truth=BoxesOf(Path(p.truth.file).expanduser(), p.truth.name) if p.truth else None,
            progress=bar.update,
        )  # fmt: skip


def _require_files(video: Video) -> None:
    """Say where files come from, where the parameters know it and one is not there."""
    if video.where_from is None:
        return
    named = [*video.paths, *([video.truth.file] if video.truth else [])]
    lacking = [name for name in named if ":" not in name and not Path(name).expanduser().exists()]
    if lacking:
        raise ValueError(f"{', '.join(lacking)}: not there; {video.where_from}")


def _read_masks_in_place(section: PrepareDataset, folder: Path) -> Manifest:
    """Describe folders of frames and label images, which stay where they are."""
    p = section.masks
    folders = _by_split(p, lambda e: MaskFolders(_place(e.frames), _place(e.labels)))
    with tqdm(unit="frame", desc="frames and labels") as bar:
        return read_masks(
            folders, kind="masks", classes=open_label_table(p.label_table), ignore=p.ignore,
            every_frame=p.every_frame, tune_every=p.tune_every, workers=p.workers, progress=bar.update,
        )  # fmt: skip


def _read_davis_in_place(section: PrepareDataset, folder: Path) -> Manifest:
    """Describe the data set at `root`, which stays where it is."""
    p = section.davis
    with tqdm(unit="frame", desc="frames and masks") as bar:
        return read_davis(
            _place(p.root), train=p.train, tune=p.tune, test=p.test, resolution=p.resolution, lists=p.lists,
            tune_every=p.tune_every, workers=p.workers, progress=bar.update,
        )  # fmt: skip


def _make_generated_detection(section: PrepareDataset, folder: Path) -> Manifest:
    """Generate clips into `folder` and read them back as any folder in the layout of ImageNet VID."""
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


def _read_vid_in_place(section: PrepareDataset, folder: Path) -> Manifest:
    """Describe the data set at `root`, which stays where it is."""
    p = section.imagenet_vid
    with tqdm(unit="frame", desc="annotations") as bar:
        return read_imagenet_vid(
            _place(p.root), folder, kind="imagenet_vid", table=read_class_table(p.class_table),
            size=(p.height, p.width), train=p.train, tune=p.tune, test=p.test, stills=p.stills,
            tune_every=p.tune_every, outside=p.outside, workers=p.workers, progress=bar.update,
        )  # fmt: skip


def _read_coco_in_place(section: PrepareDataset, folder: Path) -> Manifest:
    """Describe what the JSON files name; the pictures stay where they are."""
    p = section.coco_video
    files = _by_split(p, lambda e: CocoFile(Path(e.annotations).expanduser(), _place(e.images)))
    with tqdm(unit="frame", desc="annotations") as bar:
        return read_coco_video(
            files, folder, kind="coco_video", size=(p.height, p.width),
            tune_every=p.tune_every, outside=p.outside, progress=bar.update,
        )  # fmt: skip


def _make_generated_classification(section: PrepareDataset, folder: Path) -> Manifest:
    """Generate clips into `folder` and read them back as any folder of classes."""
    p = section.generated_classification
    clips = {"train": p.train_clips, "tune": p.tune_clips, "test": p.test_clips}
    look = Clips(p.frames, p.height, p.width, p.noise, p.seed)
    with tqdm(unit="frame", desc="clips of shapes") as bar:
        write_shapes(folder, clips, look, progress=bar.update)
    return read_image_folder(
        folder, kind="generated_classification", size=(p.height, p.width),
        train=["train"], tune=["tune"], test=["test"],
    )  # fmt: skip


def _read_classes_in_place(section: PrepareDataset, folder: Path) -> Manifest:
    """Describe folders of classes; the pictures stay where they are."""
    p = section.imagefolder
    with tqdm(unit="frame", desc="pictures") as bar:
        return read_image_folder(
            _place(p.root), kind="imagefolder", size=(p.height, p.width), train=p.train, tune=p.tune,
            test=p.test, tune_every=p.tune_every, progress=bar.update,
        )  # fmt: skip


def _make_generated_objects(section: PrepareDataset, folder: Path) -> Manifest:
    """Draw things of streets into `folder` and read them back as any data set in the layout of STL-10."""
    p = section.generated_objects
    with tqdm(unit="picture", desc="things of streets") as bar:
        write_objects(
            folder, {"train": p.train_pictures, "test": p.test_pictures},
            seed=p.seed, noise=p.noise, workers=p.workers, progress=bar.update,
        )  # fmt: skip
    return _stills(section, folder, partial(stl10_to_folders, folder))


def _read_stl10(section: PrepareDataset, folder: Path) -> Manifest:
    """The labelled pictures of the files at `root`, written into `folder`."""
    return _stills(section, folder, partial(stl10_to_folders, _place(section.stl10.root)))


def _read_fashion_mnist(section: PrepareDataset, folder: Path) -> Manifest:
    """The pictures of the files at `root`, written into `folder`."""
    return _stills(section, folder, partial(fashion_mnist_to_folders, _place(section.fashion_mnist.root)))


def _read_cifar10(section: PrepareDataset, folder: Path) -> Manifest:
    """The pictures of the files at `root`, written into `folder`."""
    assert section.cifar10 is not None
    return _stills(section, folder, partial(cifar10_to_folders, _place(section.cifar10.root)))


def _read_celeba(section: PrepareDataset, folder: Path) -> Manifest:
    """The faces at `root`, cut and written into `folder`; its list divides them."""
    p = section.celeba
    assert p is not None
    size = (p.height, p.width)
    with tqdm(unit="picture", desc="faces") as bar:
        celeba_to_folders(_place(p.root), folder, size=size, progress=bar.update)
    return read_image_folder(folder, kind="celeba", size=size, train=["train"], tune=["tune"], test=["test"])


def _stills(section: PrepareDataset, folder: Path, unpack: Callable[..., None]) -> Manifest:
    """Write pictures as folders of classes, and read them as such; every so many of training are tuned on."""
    p = getattr(section, section.kind)
    with tqdm(unit="picture", desc="pictures") as bar:
        unpack(folder, progress=bar.update)
    return read_image_folder(
        folder, kind=section.kind, size=(p.height, p.width), train=["train"], tune=[], test=["test"],
        tune_every=p.tune_every,
    )  # fmt: skip


def _place(name: str) -> Path:
    """A folder as params.yaml has it; `~` is the home folder."""
    return Path(name).expanduser().absolute()


def _by_split(section: CocoVideo | Masks, place: Callable[[Any], Place]) -> dict[str, list[Place]]:
    """Where the entries of each split lie; pictures stay there."""
    return {split: [place(entry) for entry in getattr(section, split)] for split in SPLITS}


_MAKERS = {
    "generated": _make_generated,
    "cityscapes": _read_in_place,
    "video": _extract_video,
    "masks": _read_masks_in_place,
    "davis": _read_davis_in_place,
    "generated_detection": _make_generated_detection,
    "imagenet_vid": _read_vid_in_place,
    "coco_video": _read_coco_in_place,
    "generated_classification": _make_generated_classification,
    "imagefolder": _read_classes_in_place,
    "generated_objects": _make_generated_objects,
    "stl10": _read_stl10,
    "fashion_mnist": _read_fashion_mnist,
    "cifar10": _read_cifar10,
    "celeba": _read_celeba,
}
