"""One picture of a data set: clips of each split at growing distance, labels beneath, legend at the foot."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import SPLITS, Frame

DISTANCES = (0, 1, 3, 6, 10)
_CLIPS = {"train": 2, "tune": 1, "test": 2}
_THUMB_WIDTH, _MARGIN, _GAP, _HEAD, _LINE = 192, 28, 6, 84, 30  # pixels
_INK, _PALE, _PAPER, _UNLABELLED = (28, 30, 34), (110, 114, 120), (255, 255, 255), (0, 0, 0)


def draw_contact_sheet(store: FrameStore, path: Path) -> None:
    """Write a PNG to `path`: per clip a row of frames, and of labels in class colours where there are any.

    The clips are spread evenly over each split; frames wider than a thumbnail are scaled down.
    """
    blocks = [_clip_block(store, split, frames) for split, frames in _chosen(store)]
    width = 2 * _MARGIN + len(DISTANCES) * _THUMB_WIDTH + (len(DISTANCES) - 1) * _GAP
    legend = _legend(store, width)
    sheet = Image.new("RGB", (width, _HEAD + sum(block.height for block in blocks) + legend.height), _PAPER)
    _draw_head(ImageDraw.Draw(sheet), store)
    top = _HEAD
    for part in (*blocks, legend):
        sheet.paste(part, (0, top))
        top += part.height
    sheet.save(path, optimize=True)


def _chosen(store: FrameStore) -> list[tuple[str, tuple[Frame, ...]]]:
    chosen = []
    for split in SPLITS:
        clips = list(store.manifest.clips(split).values())
        count = min(_CLIPS[split], len(clips))
        chosen += [(split, clips[number * len(clips) // count]) for number in range(count)]
    return chosen


def _draw_head(draw: ImageDraw.ImageDraw, store: FrameStore) -> None:
    info, counts = store.manifest.info, store.manifest.counts()
    numbers = " · ".join(
        f"{split} {counts['frames'][split]:,} frames in {_clips(counts['clips'][split])}" for split in SPLITS
    )
    draw.text((_MARGIN, 18), f"{info.kind} · {info.size[0]} by {info.size[1]} pixels", _INK, _font(22))
    draw.text((_MARGIN, 50), numbers, _PALE, _font(15))


def _clips(count: int) -> str:
    return f"{count} clip" if count == 1 else f"{count} clips"


def _clip_block(store: FrameStore, split: str, frames: tuple[Frame, ...]) -> Image.Image:
    start = _start(frames)
    shown = [(distance, frames[start + distance]) for distance in DISTANCES if start + distance < len(frames)]
    height = max(1, round(_THUMB_WIDTH * store.size[0] / store.size[1]))
    labelled = any(frame.label for _, frame in shown)
    rows = 2 if labelled else 1
    width = 2 * _MARGIN + len(DISTANCES) * (_THUMB_WIDTH + _GAP) - _GAP
    block = Image.new("RGB", (width, _LINE + rows * (height + _GAP) + 14), _PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((_MARGIN, 9), f"{split} · {frames[0].clip}", _INK, _font(14))
    for column, (distance, frame) in enumerate(shown):
        left = _MARGIN + column * (_THUMB_WIDTH + _GAP)
        if column > 0:
            draw.text((left + _THUMB_WIDTH, 9), f"+{distance}", _PALE, _font(14), anchor="ra")
        block.paste(_thumb(store.image_array(frame), height, cv2.INTER_AREA), (left, _LINE))
        if labelled:
            coloured = _in_colour(store, frame)
            block.paste(_thumb(coloured, height, cv2.INTER_NEAREST_EXACT), (left, _LINE + height + _GAP))
    return block


def _start(frames: tuple[Frame, ...]) -> int:
    """The first frame, or where labels are sparse the one that puts a label at the largest distance shown."""
    labels = [frame.index for frame in frames if frame.label]
    reach = min(DISTANCES[-1], len(frames) - 1)
    return max(labels[0] - reach, 0) if labels and len(labels) < len(frames) else 0


def _in_colour(store: FrameStore, frame: Frame) -> np.ndarray:
    palette = np.full((256, 3), _UNLABELLED, np.uint8)
    for index, entry in enumerate(store.manifest.info.classes):
        palette[index] = entry.color
    return palette[store.label_array(frame)]


def _thumb(pixels: np.ndarray, height: int, shrink: int) -> Image.Image:
    enlarges = pixels.shape[1] < _THUMB_WIDTH and shrink == cv2.INTER_AREA
    way = cv2.INTER_CUBIC if enlarges else shrink
    return Image.fromarray(cv2.resize(pixels, (_THUMB_WIDTH, height), interpolation=way))


def _legend(store: FrameStore, width: int) -> Image.Image:
    """A line or two of coloured squares with names."""
    entries = [(entry.name, entry.color) for entry in store.manifest.info.classes]
    if not any(store.manifest.counts()["labelled"].values()):
        entries = []
    entries += [("ignored or unlabelled", _UNLABELLED)] if entries else []
    font, places, x, y = _font(15), [], _MARGIN, 6
    for name, color in entries:
        extent = 30 + int(font.getlength(name)) + 22
        if x + extent > width - _MARGIN and x > _MARGIN:
            x, y = _MARGIN, y + _LINE
        places.append((x, y, name, color))
        x += extent
    legend = Image.new("RGB", (width, y + _LINE + 8 if entries else 14), _PAPER)
    draw = ImageDraw.Draw(legend)
    for x, y, name, color in places:
        draw.rounded_rectangle((x, y, x + 20, y + 18), 4, tuple(color))
        draw.text((x + 29, y - 1), name, _INK, font)
    return legend


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
