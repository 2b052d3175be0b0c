"""One picture of a data set: clips of each split at growing distance, labels or boxes beneath, a legend."""

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deltadistill.data.box_picture import draw_boxes
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import SPLITS, Frame

DISTANCES = (0, 1, 3, 6, 10)
_CLIPS = {"train": 2, "tune": 1, "test": 2}
_THUMB_WIDTH, _MARGIN, _GAP, _HEAD, _LINE = 192, 28, 6, 84, 30  # pixels
_INK, _PALE, _PAPER, _UNLABELLED = (28, 30, 34), (110, 114, 120), (255, 255, 255), (0, 0, 0)


def draw_contact_sheet(store: FrameStore, path: Path) -> None:
    """Write a PNG to `path`: per clip a row of frames, and one of labels or else of boxes, if there are any.

    The clips are spread evenly over each split; frames wider than a thumbnail are scaled down. A row of its
    own shows stills, clips of a single frame.
    """
    blocks = [_clip_block(store, split, frames) for split, frames in _chosen(store)]
    blocks += _still_blocks(store)
    width = 2 * _MARGIN + len(DISTANCES) * _THUMB_WIDTH + (len(DISTANCES) - 1) * _GAP
    legend = _legend(store, width)
    sheet = Image.new("RGB", (width, _HEAD + sum(block.height for block in blocks) + legend.height), _PAPER)
    _draw_head(ImageDraw.Draw(sheet), store)
    top = _HEAD
    for part in (*blocks, legend):
        sheet.paste(part, (0, top))
        top += part.height
    buffer = io.BytesIO()  # Pillow, writing to a full disk, does not say so
    sheet.save(buffer, format="PNG", optimize=True)
    path.write_bytes(buffer.getbuffer())


def _chosen(store: FrameStore) -> list[tuple[str, tuple[Frame, ...]]]:
    chosen = []
    for split in SPLITS:
        clips = [clip for clip in store.manifest.clips(split).values() if len(clip) > 1]
        chosen += [(split, clip) for clip in _spread(clips, _CLIPS[split])]
    return chosen


def _spread(clips: list, count: int) -> list:
    """At most `count` of the clips, evenly spread."""
    count = min(count, len(clips))
    return [clips[number * len(clips) // count] for number in range(count)]


def _still_blocks(store: FrameStore) -> list[Image.Image]:
    blocks = []
    for split in SPLITS:
        stills = [clip[0] for clip in store.manifest.clips(split).values() if len(clip) == 1]
        if stills:
            shown = [("", frame) for frame in _spread(stills, len(DISTANCES))]
            blocks.append(_block(store, f"{split} · stills", shown))
    return blocks


def _draw_head(draw: ImageDraw.ImageDraw, store: FrameStore) -> None:
    info = store.manifest.info
    numbers = " · ".join(f"{split} {_counted(store, split)}" for split in SPLITS)
    draw.text((_MARGIN, 18), f"{info.kind} · {info.size[0]} by {info.size[1]} pixels", _INK, _font(22))
    draw.text((_MARGIN, 50), numbers, _PALE, _font(15))


def _counted(store: FrameStore, split: str) -> str:
    lengths = [len(clip) for clip in store.manifest.clips(split).values()]
    stills = lengths.count(1)
    clips, frames = len(lengths) - stills, sum(lengths) - stills
    text = f"{frames:,} frames in {clips} clip{'s' if clips != 1 else ''}"
    return f"{text} and {stills} still{'s' if stills != 1 else ''}" if stills else text


def _clip_block(store: FrameStore, split: str, frames: tuple[Frame, ...]) -> Image.Image:
    start = _start(frames)
    shown = [(d, frames[start + d]) for d in DISTANCES if start + d < len(frames)]
    captions = [(f"+{distance}" if distance else "", frame) for distance, frame in shown]
    return _block(store, f"{split} · {frames[0].clip}", captions)


def _block(store: FrameStore, title: str, shown: list[tuple[str, Frame]]) -> Image.Image:
    """Frames with captions in a row, what is annotated beneath."""
    height = max(1, round(_THUMB_WIDTH * store.size[0] / store.size[1]))
    beneath = _beneath([frame for _, frame in shown])
    rows = 2 if beneath else 1
    width = 2 * _MARGIN + len(DISTANCES) * (_THUMB_WIDTH + _GAP) - _GAP
    block = Image.new("RGB", (width, _LINE + rows * (height + _GAP) + 14), _PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((_MARGIN, 9), title, _INK, _font(14))
    for column, (caption, frame) in enumerate(shown):
        left = _MARGIN + column * (_THUMB_WIDTH + _GAP)
        draw.text((left + _THUMB_WIDTH, 9), caption, _PALE, _font(14), anchor="ra")
        block.paste(_thumb(store.image_array(frame), height, cv2.INTER_AREA), (left, _LINE))
        if beneath:
            block.paste(beneath(store, frame, height), (left, _LINE + height + _GAP))
    return block


def _beneath(frames: list[Frame]) -> Callable[[FrameStore, Frame, int], Image.Image] | None:
    """What draws the second row: labels where any frame has one, or else boxes, or nothing."""
    if any(frame.label for frame in frames):
        return _label_thumb
    return _box_thumb if any(frame.boxes for frame in frames) else None


def _label_thumb(store: FrameStore, frame: Frame, height: int) -> Image.Image:
    return _thumb(_in_colour(store, frame), height, cv2.INTER_NEAREST_EXACT)


def _box_thumb(store: FrameStore, frame: Frame, height: int) -> Image.Image:
    colors = [entry.color for entry in store.manifest.info.classes]
    size = height, _THUMB_WIDTH
    return draw_boxes(store.image_array(frame), store.boxes(frame), colors, size=size)


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
    if not any(store.manifest.counts()["labelled"].values()) or store.manifest.info.annotation == "targets":
        entries = []  # nothing is in colour; the clips' names tell the class
    if any(frame.label for frame in store.manifest.frames):
        entries += [("ignored or unlabelled", _UNLABELLED)]
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
