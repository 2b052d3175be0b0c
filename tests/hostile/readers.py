"""Every reader of files from elsewhere: how to make small valid files for it, and how to read them."""

import argparse
import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

import deltadistill as dd
from deltadistill.data.box_files import read_box_file, write_box_file
from deltadistill.data.boxes import Objects
from deltadistill.data.faults import raise_faults
from deltadistill.data.frames import FrameStore
from deltadistill.data.label_table import table
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.files.strict_json import read_json as read_strictly
from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import params
from deltadistill.pipeline.report import page, scenes
from deltadistill.pipeline.results import dataset_file, files
from deltadistill.pipeline.results.consistency_file import Consistency
from deltadistill.pipeline.results.latency_file import Latency
from deltadistill.pipeline.results.macs_files import MacLayer, MacTotals
from deltadistill.pipeline.results.provenance_file import Provenance
from deltadistill.pipeline.results.sweep_file import Sweep
from deltadistill.pipeline.results.training_files import Architecture, LayerError, TrainingStep
from deltadistill.preparation.cityscapes import Layout, read_cityscapes
from deltadistill.preparation.class_table import read_class_table
from deltadistill.preparation.coco_video import CocoFile, read_coco_video
from deltadistill.preparation.ilsvrc_xml import read_annotation
from deltadistill.preparation.imagenet_lists import read_lists
from deltadistill.stored import architecture
from deltadistill.stored.network_file import save_network
from deltadistill.video.video_source import read_video

ROOT = Path(__file__).resolve().parents[2]
MODEL = {"name": "ddrnet23_slim", "classes": 4, "options": {"width": 4, "stem_strides": [2, 1]}}
STUDENTS = dd.LinearStudent(gamma=2)
SIZE = (16, 24)
STREET = ROOT / "results" / "street"
_SEED = STREET / "per_seed" / "seed0"


@dataclass(frozen=True)
class Reader:
    """`make` fills an empty folder and returns the files to damage; `read` reads that folder."""

    make: Callable[[Path], list[Path]]
    read: Callable[[Path], object]


def plain() -> torch.nn.Module:
    torch.manual_seed(0)
    return dd.models.build(MODEL["name"], classes=MODEL["classes"], **MODEL["options"])


def deployed() -> torch.nn.Module:
    return dd.deploy(dd.convert(plain(), STUDENTS))


def make_network(folder: Path) -> list[Path]:
    network = deployed()
    found = architecture.found_architecture(network, STUDENTS)
    save_network(folder / "network.pt", network, MODEL, architecture=found)
    return [folder / "network.pt"]


def make_weights(folder: Path, *, archive: bool) -> list[Path]:
    content = {"state_dict": plain().state_dict(), "epoch": 3, "sizes": [1, 2.5, None]}
    torch.save(content, folder / "public.pth", _use_new_zipfile_serialization=archive)
    return [folder / "public.pth"]


def make_safetensors(folder: Path) -> list[Path]:
    save_file({name: tensor.clone() for name, tensor in plain().state_dict().items()}, folder / "public.pth")
    return [folder / "public.pth"]


def make_settings(folder: Path) -> list[Path]:
    """A checkpoint with what other programs keep beside the weights, their average too."""
    weights = plain().state_dict()
    content = {
        "state_dict": {f"module.{name}": tensor for name, tensor in weights.items()},
        "state_dict_ema": weights,
        "args": argparse.Namespace(out=Path("out"), rate=np.float64(0.1), sizes=np.arange(3)),
        "logs": defaultdict(list, loss=[0.5]),
    }
    torch.save(content, folder / "public.pth")
    return [folder / "public.pth"]


def make_architecture(folder: Path) -> list[Path]:
    found = architecture.found_architecture(deployed(), STUDENTS)
    (folder / "architecture.json").write_text(json.dumps(found, indent=2))
    return [folder / "architecture.json"]


def read_architecture(folder: Path) -> torch.nn.Module:
    path = folder / "architecture.json"
    content = read_strictly(path, remedy="mend it")
    try:
        return architecture.apply_architecture(plain(), content)
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise ValueError(f"{path}: {error}") from error  # the function is given no path


def make_params(folder: Path) -> list[Path]:
    shutil.copy(ROOT / "params.yaml", folder)
    return [folder / "params.yaml"]


def make_overlay(folder: Path) -> list[Path]:
    """params.yaml with an overlay on, and another one to put on."""
    make_params(folder)
    overlay.PARAMS, overlay.RECORD = folder / "params.yaml", folder / ".overlay.yaml"
    for name in ("first", "second"):
        text = f"experiment: {name}\nseeds: [0, 1]\ndistill: {{steps: 7}}\n"
        (folder / f"{name}.yaml").write_text(text)
    if "experiment: street " not in overlay.PARAMS.read_text():
        raise AssertionError("an overlay is on in the working tree")
    overlay.put(folder / "first.yaml")
    return [folder / "second.yaml", folder / ".overlay.yaml", folder / "params.yaml"]


def read_overlay(folder: Path) -> object:
    overlay.PARAMS, overlay.RECORD = folder / "params.yaml", folder / ".overlay.yaml"
    overlay.show()
    overlay.put(folder / "second.yaml")
    return overlay.off()


def make_dataset(folder: Path) -> list[Path]:
    """Three clips of four frames, in the manifest's folder."""
    frames = [_write_frame(folder, split, index) for split in ("train", "tune", "test") for index in range(4)]
    info = DatasetInfo("generated", SIZE, table("street_8"), "exact", "test")
    Manifest.of(frames, info).write(folder / "manifest.csv")
    return [folder / "manifest.csv", folder / "dataset.json"]


def make_frames(folder: Path) -> list[Path]:
    make_dataset(folder)
    return [folder / f"train_1{end}" for end in (".png", "_label.png", "_flow.npz")]


def read_frames(folder: Path) -> None:
    store = FrameStore.open(folder)
    frame = store.manifest.clips("train")["train"][1]
    store.image(frame), store.label(frame), store.flow(frame)


def _write_frame(folder: Path, split: str, index: int) -> Frame:
    stem = folder / f"{split}_{index}"
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[..., 2], pixels[..., 1] = np.arange(SIZE[1]), index
    cv2.imwrite(f"{stem}.png", pixels)
    cv2.imwrite(f"{stem}_label.png", np.full(SIZE, 7, np.uint8))
    if index:
        flow = np.full((*SIZE, 2), 1.5, np.float16)
        np.savez(f"{stem}_flow.npz", flow=flow, valid=np.ones(SIZE, bool))
    places = (Path(f"{stem}{end}") for end in (".png", "_label.png", "_flow.npz"))
    image, label, flow = (place if place.is_file() else None for place in places)
    return Frame(split, index, split, image, label, flow)


def make_pictures(folder: Path, *, suffix: str) -> list[Path]:
    pixels = np.arange(12 * 20 * 3, dtype=np.uint8).reshape(12, 20, 3)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.{suffix}"), pixels + number)
    return [folder / f"1.{suffix}"]


def make_video(folder: Path, *, suffix: str, codec: str, pixels: str) -> list[Path]:
    draw = np.random.default_rng(0)
    with av.open(str(folder / f"ride.{suffix}"), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for _ in range(6):
            frame = draw.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return [folder / f"ride.{suffix}"]


def make_animation(folder: Path) -> list[Path]:
    draw = np.random.default_rng(0)
    frames = [Image.fromarray(draw.integers(0, 256, (*SIZE, 3), dtype=np.uint8)) for _ in range(4)]
    frames[0].save(folder / "ride.webp", save_all=True, append_images=frames[1:], duration=40, lossless=True)
    return [folder / "ride.webp"]


def read_all(folder: Path, *, name: str = "", damaged: str = "stop") -> int:
    return sum(1 for _ in read_video(folder / name, max_frames=1000, damaged=damaged))


def make_cityscapes(folder: Path) -> list[Path]:
    made = []
    for split in ("train", "tune", "test"):
        for index in range(2):
            for top, kind in (("leftImg8bit_sequence", "leftImg8bit"), ("gtFine", "gtFine_labelIds")):
                place = folder / top / split / "ulm"
                place.mkdir(parents=True, exist_ok=True)
                made.append(place / f"ulm_000000_{index:06d}_{kind}.png")
                shape = SIZE if top == "gtFine" else (*SIZE, 3)
                cv2.imwrite(str(made[-1]), np.zeros(shape, np.uint8))
    return made[:2]


def read_layout(folder: Path) -> Manifest:
    splits = {split: [split] for split in ("train", "tune", "test")}
    layout = Layout(frames=2, labelled=None)
    return read_cityscapes(folder, kind="cityscapes", classes=table("street_8"), layout=layout, **splits)


def make_examples(folder: Path) -> list[Path]:
    make_dataset(folder)
    path = folder / "seed0" / "sweep_sequence_length" / "teacher" / "examples.npz"
    path.parent.mkdir(parents=True)
    np.savez_compressed(path, clips=np.array(["test"]), predictions_T3=np.zeros((1, 4, *SIZE), np.uint8))
    return [path]


def read_examples(folder: Path) -> object:
    return scenes.read_scenes(folder, data=folder, seed=0, variants=["teacher"], period=3)


def make_result(folder: Path, *, source: Path) -> list[Path]:
    shutil.copy(source, folder)
    return [folder / source.name]


def read_result(folder: Path, *, name: str, kind: type) -> object:
    read = files.read_csv if name.endswith(".csv") else files.read_json
    return read(folder / name, kind, stage="that makes it")


def make_sheet(folder: Path) -> list[Path]:
    cv2.imwrite(str(folder / "contact_sheet.png"), np.zeros((40, 60, 3), np.uint8))
    return [folder / "contact_sheet.png"]


def make_boxes(folder: Path) -> list[Path]:
    boxes = Objects(
        boxes=[[1, 2, 10, 12], [3.5, 4, 20, 15]], classes=[0, 1], tracks=[7, -1], crowd=[False, True]
    )
    write_box_file(folder / "boxes.json", {0: boxes, 3: boxes}, size=SIZE, classes=["car", "person"])
    return [folder / "boxes.json"]


def make_classes(folder: Path) -> list[Path]:
    (folder / "classes.csv").write_text("id,name,color\nn02691156,airplane,#e6194b\nn02419796,antelope,\n")
    return [folder / "classes.csv"]


def make_annotation(folder: Path) -> list[Path]:
    item = (
        "<object><trackid>0</trackid><name>n02691156</name><bndbox><xmax>9</xmax><xmin>1</xmin><ymax>8</ymax>"
    )
    item += "<ymin>2</ymin></bndbox><occluded>0</occluded><generated>1</generated></object>"
    text = f"<annotation><size><width>24</width><height>16</height></size>{item}{item}</annotation>"
    (folder / "000000.xml").write_text(text)
    return [folder / "000000.xml"]


def make_list(folder: Path) -> list[Path]:
    place = folder / "ImageSets" / "VID"
    place.mkdir(parents=True)
    (place / "val.txt").write_text("".join(f"val/ride_{n}/{n:06d} {n}\n" for n in range(5)))
    return [place / "val.txt"]


def read_list(folder: Path) -> list[str]:
    faults: list[str] = []
    entries = read_lists(folder, "VID", "val", faults)
    raise_faults(folder / "ImageSets" / "VID" / "val.txt", faults)
    return entries


def make_coco(folder: Path) -> list[Path]:
    """A file for each split, of one video of two pictures and one object in each."""
    for split in ("train", "tune", "test"):
        images = [
            {
                "id": n,
                "file_name": f"{split}_{n}.png",
                "height": 16,
                "width": 24,
                "video_id": 1,
                "frame_id": n,
            }
            for n in range(2)
        ]
        for image in images:
            cv2.imwrite(str(folder / image["file_name"]), np.zeros((*SIZE, 3), np.uint8))
        found = {"category_id": 4, "bbox": [1, 2, 8, 9.5], "track_id": 3, "iscrowd": 0}
        content = {
            "videos": [{"id": 1, "name": f"{split}/ride"}],
            "images": images,
            "annotations": [{"id": n, "image_id": n, **found} for n in range(2)],
            "categories": [{"id": 4, "name": "car"}],
        }
        (folder / f"{split}.json").write_text(json.dumps(content, indent=1))
    return [folder / "train.json"]


def read_coco(folder: Path) -> Manifest:
    files = {split: [CocoFile(folder / f"{split}.json", folder)] for split in ("train", "tune", "test")}
    return read_coco_video(files, folder / "made", kind="coco_video", size=SIZE)


def _result(source: Path, kind: type) -> Reader:
    return Reader(partial(make_result, source=source), partial(read_result, name=source.name, kind=kind))


def _pictures(suffix: str) -> Reader:
    return Reader(partial(make_pictures, suffix=suffix), read_all)


def _video(suffix: str, codec: str, pixels: str = "yuv420p") -> Reader:
    make = partial(make_video, suffix=suffix, codec=codec, pixels=pixels)
    return Reader(make, partial(read_all, name=f"ride.{suffix}"))


READERS = {
    "network file": Reader(make_network, lambda folder: architecture.load_network(folder / "network.pt")),
    "weights": Reader(
        partial(make_weights, archive=True), lambda folder: dd.load_weights(plain(), folder / "public.pth")
    ),
    "old weights": Reader(
        partial(make_weights, archive=False), lambda folder: dd.load_weights(plain(), folder / "public.pth")
    ),
    "safetensors": Reader(make_safetensors, lambda folder: dd.load_weights(plain(), folder / "public.pth")),
    "settings": Reader(make_settings, lambda folder: dd.load_weights(plain(), folder / "public.pth")),
    "architecture": Reader(make_architecture, read_architecture),
    "params": Reader(make_params, lambda folder: params.load(folder / "params.yaml")),
    "overlay": Reader(make_overlay, read_overlay),
    "manifest": Reader(make_dataset, lambda folder: Manifest.read(folder / "manifest.csv")),
    "frames": Reader(make_frames, read_frames),
    "cityscapes": Reader(make_cityscapes, read_layout),
    "png": _pictures("png"),
    "jpeg": _pictures("jpg"),
    "bmp": _pictures("bmp"),
    "tiff": _pictures("tiff"),
    "webp": _pictures("webp"),
    "mp4": _video("mp4", "mpeg4"),
    "avi": _video("avi", "mjpeg", "yuvj420p"),
    "mkv": _video("mkv", "mpeg4"),
    "gif": _video("gif", "gif", "rgb8"),
    "animation": Reader(make_animation, partial(read_all, name="ride.webp")),
    "avi as far as it goes": Reader(
        partial(make_video, suffix="avi", codec="mpeg4", pixels="yuv420p"),
        partial(read_all, name="ride.avi", damaged="skip"),
    ),
    "examples": Reader(make_examples, read_examples),
    "sweep": _result(_SEED / "sweep_sequence_length" / "delta" / "sweep.json", Sweep),
    "consistency": _result(_SEED / "analyze_consistency" / "delta" / "consistency.json", Consistency),
    "found": _result(_SEED / "distill" / "delta" / "architecture.json", Architecture),
    "layers": _result(_SEED / "distill" / "delta" / "layers.csv", LayerError),
    "curve": _result(_SEED / "distill" / "delta" / "curve.csv", TrainingStep),
    "macs": _result(STREET / "profile_macs" / "macs.csv", MacLayer),
    "totals": _result(STREET / "profile_macs" / "totals.json", MacTotals),
    "latency": _result(STREET / "measure_latency" / "latency.json", Latency),
    "provenance": _result(STREET / "provenance.json", Provenance),
    "described": _result(STREET / "prepare_dataset" / "dataset.json", dataset_file.DatasetInfo),
    "boxes": Reader(make_boxes, lambda folder: read_box_file(folder / "boxes.json", ["car", "person"])),
    "classes": Reader(make_classes, lambda folder: read_class_table(folder / "classes.csv")),
    "annotation": Reader(make_annotation, lambda folder: read_annotation(folder / "000000.xml")),
    "list": Reader(make_list, read_list),
    "coco": Reader(make_coco, read_coco),
    "sheet": Reader(make_sheet, lambda folder: page._contact_sheet(folder / "contact_sheet.png")),
}
