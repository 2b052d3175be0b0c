"""Decoded frames, labels, boxes and flow of a data set, kept in memory up to a limit."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import torch

from deltadistill.data.annotations import ANNOTATIONS
from deltadistill.data.box_files import read_box_file
from deltadistill.data.boxes import Objects
from deltadistill.data.label_table import label_ids_to_classes
from deltadistill.data.letterbox import Letterbox
from deltadistill.data.manifest import Frame, Manifest
from deltadistill.data.picture import decode_picture
from deltadistill.files.arrays import Check, read_arrays

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB
STD = (0.229, 0.224, 0.225)
_CLIPS_OF_BOXES = 1024  # clips whose boxes stay in memory


def normalise(frames: torch.Tensor) -> torch.Tensor:
    """uint8 RGB (…, 3, H, W) → float32 of the same shape, mean and deviation of ImageNet taken out."""
    if frames.dtype != torch.uint8 or frames.ndim < 3 or frames.shape[-3] != 3:
        raise ValueError(f"normalise takes uint8 (…, 3, H, W), got {frames.dtype} {tuple(frames.shape)}")
    scale = torch.tensor([1 / (255 * std) for std in STD], device=frames.device).view(3, 1, 1)
    shift = torch.tensor([-mean / std for mean, std in zip(MEAN, STD, strict=True)], device=frames.device)
    return frames * scale + shift.view(3, 1, 1)


class FrameStore:
    """Reads a data set's files; the most recently used decoded arrays stay in memory up to `cache_bytes`.

    Arrays handed out are shared with the cache and read-only; tensors are copies. Several threads may read at
    the same time; what two want at once is decoded by both. Where the data set's pictures differ in size,
    frames and boxes are those fitted into `size` (letterbox.py).
    """

    def __init__(self, manifest: Manifest, *, cache_bytes: int = 2**30):
        if cache_bytes < 0:
            raise ValueError(f"cache_bytes is {cache_bytes}; 0 switches the cache off")
        self.manifest = manifest
        self.annotations = ANNOTATIONS[manifest.info.annotation]
        self.size = manifest.info.size
        self._fitted = manifest.info.fit == "letterbox"
        self.classes = tuple(entry.name for entry in manifest.info.classes)
        self._to_class = label_ids_to_classes(manifest.info.classes)
        self._cache_bytes = cache_bytes
        self._boxes: OrderedDict[Path, dict[int, Objects]] = OrderedDict()
        self._cache: OrderedDict[Path, tuple[np.ndarray, ...]] = OrderedDict()
        self._held = 0
        self._lock = Lock()  # of both caches; never held while a file is read

    @classmethod
    def open(cls, folder: Path, *, cache_gib: float = 1) -> "FrameStore":
        """Open the data set that `folder`/manifest.csv describes."""
        return cls(Manifest.read(folder / "manifest.csv"), cache_bytes=int(cache_gib * 2**30))

    def image(self, frame: Frame) -> torch.Tensor:
        """uint8 RGB (3, H, W)."""
        return torch.from_numpy(self.image_array(frame).transpose(2, 0, 1).copy())

    def label(self, frame: Frame) -> torch.Tensor:
        """uint8 (H, W): class indices, 255 where ignored; all 255 for a frame without label."""
        return torch.from_numpy(self.label_array(frame).copy())

    def flow(self, frame: Frame) -> tuple[torch.Tensor, torch.Tensor]:
        """Backward flow float32 (2, H, W) in pixels, x then y: x_before = x + flow; validity bool (H, W)."""
        if frame.flow is None:
            why = (
                "a clip's first frame has none before it"
                if frame.index == 0
                else "its data set has no exact flow"
            )
            raise ValueError(f"no flow for frame {frame.index} of clip {frame.clip}: {why}")
        flow, valid = self._kept(frame.flow, self._read_flow)
        return torch.from_numpy(flow.transpose(2, 0, 1).astype(np.float32, order="C")), torch.from_numpy(
            valid.copy()
        )

    def boxes(self, frame: Frame) -> Objects:
        """The objects of a frame, in pixels of `size`; ValueError where the frame is not annotated."""
        of_clip = self._boxes_of_clip(frame.boxes) if frame.boxes else {}
        if frame.index not in of_clip:
            raise ValueError(f"no boxes for frame {frame.index} of clip {frame.clip}: it is not annotated")
        return of_clip[frame.index]

    def is_annotated(self, frame: Frame) -> bool:
        """Whether a frame has what its data set is annotated with: a label, boxes, or a target."""
        return self.annotations.is_annotated(self, frame)

    def has_boxes(self, frame: Frame) -> bool:
        """Whether there are boxes for a frame, though it may show no object."""
        return frame.boxes is not None and frame.index in self._boxes_of_clip(frame.boxes)

    def image_array(self, frame: Frame) -> np.ndarray:
        """uint8 RGB (H, W, 3), read-only."""
        return self._kept(frame.image, self._read_image)[0]

    def label_array(self, frame: Frame) -> np.ndarray:
        """uint8 class indices (H, W), read-only, 255 where ignored."""
        if frame.label is None:
            return np.full(self.size, 255, np.uint8)
        return self._kept(frame.label, self._read_label)[0]

    def _kept(self, path: Path, read: Callable[[Path], tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
        with self._lock:
            if path in self._cache:
                self._cache.move_to_end(path)
                return self._cache[path]
        arrays = read(path)
        for array in arrays:
            array.flags.writeable = False
        with self._lock:
            self._keep(path, arrays)
        return arrays

    def _keep(self, path: Path, arrays: tuple[np.ndarray, ...]) -> None:
        size = sum(array.nbytes for array in arrays)
        if size <= self._cache_bytes and path not in self._cache:
            self._cache[path] = arrays
            self._held += size
        while self._held > self._cache_bytes:
            _, dropped = self._cache.popitem(last=False)
            self._held -= sum(array.nbytes for array in dropped)

    def _read_image(self, path: Path) -> tuple[np.ndarray]:
        size = None if self._fitted else self.size
        pixels = decode_picture(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION, size=size)
        pixels = np.ascontiguousarray(pixels[..., ::-1])
        return (Letterbox(pixels.shape[:2], self.size).image(pixels) if self._fitted else pixels,)

    def _read_label(self, path: Path) -> tuple[np.ndarray]:
        pixels = decode_picture(path, cv2.IMREAD_UNCHANGED, size=self.size)
        if pixels.ndim != 2 or pixels.dtype != np.uint8:
            raise ValueError(
                f"{path}: a label is a grey 8-bit PNG of label ids, got {pixels.dtype} {pixels.shape}"
            )
        return (self._to_class.take(pixels),)

    def _boxes_of_clip(self, path: Path) -> dict[int, Objects]:
        with self._lock:
            of_clip = self._boxes.get(path)
        if of_clip is None:
            of_clip = self._read_boxes(path)
        with self._lock:
            self._boxes[path] = of_clip
            self._boxes.move_to_end(path)
            if len(self._boxes) > _CLIPS_OF_BOXES:
                self._boxes.popitem(last=False)
        return of_clip

    def _read_boxes(self, path: Path) -> dict[int, Objects]:
        frames, size = read_box_file(path, self.classes)
        if not self._fitted:
            return frames
        fit = Letterbox(size or self.size, self.size)
        return {index: objects.with_boxes(fit.boxes(objects.boxes)) for index, objects in frames.items()}

    def _read_flow(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        arrays = read_arrays(
            path,
            {"flow": _expect("f", (*self.size, 2)), "valid": _expect("b", self.size)},
            remedy="run the stage prepare_dataset again",
        )
        return arrays["flow"], arrays["valid"]


def _expect(kind: str, shape: tuple[int, ...]) -> Check:
    """A check for arrays of one shape, of floating-point numbers ("f") or truth values ("b")."""

    def check(dtype: np.dtype, found: tuple[int, ...]) -> str | None:
        if dtype.kind == kind and dtype.itemsize <= 8 and found == shape:
            return None
        return f"{'floating-point numbers' if kind == 'f' else 'truth values'} {shape}"

    return check
