"""Renders one generated clip, frame by frame: picture, label ids, exact flow and boxes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deltadistill.preparation.street.background import draw_background
from deltadistill.preparation.street.camera import Lens, drive
from deltadistill.preparation.street.canvas import Canvas
from deltadistill.preparation.street.draws import Draws
from deltadistill.preparation.street.flow import backward_flow
from deltadistill.preparation.street.foreground import draw_foreground
from deltadistill.preparation.street.scene import draw_scene
from deltadistill.preparation.street.scene_parts import Scene
from deltadistill.preparation.street.sensor import expose
from deltadistill.preparation.street.things_seen import ThingSeen, Windows, things_seen, visible_parts

SPEED = (0.12, 0.30)  # metres per frame at the start of a clip
BOX_CLASSES = {"car": "car", "person": "person", "pole": "pole/sign", "sign": "pole/sign"}


@dataclass(frozen=True)
class RenderedFrame:
    """One frame of a generated clip.

    `image` uint8 (H, W, 3) RGB; `label_ids` uint8 (H, W), Cityscapes label ids; `flow` float32 (H, W, 2) and
    `valid` bool (H, W), backward to the frame before (all invalid in frame 0); `boxes`: dicts of id, class
    and box [x0, y0, x1, y1] around the visible pixels, in pixels, x1 and y1 exclusive; `things`: all that is
    to be seen of every thing, empty unless it was asked for.
    """

    image: np.ndarray
    label_ids: np.ndarray
    flow: np.ndarray
    valid: np.ndarray
    boxes: list[dict]
    things: tuple[ThingSeen, ...] = ()


def render_clip(
    key: tuple[int, ...], *, frames: int, height: int, width: int, noise: float, things: bool = False
) -> Iterator[RenderedFrame]:
    """The frames of the clip named by `key` = (seed, split number, clip number), in order.

    The same key and sizes give the same bits on every machine: only operations that IEEE 754 rounds exactly.
    """
    lens = Lens(height, width)
    poses = drive(Draws(*key, 0), frames, SPEED)
    way = poses[-1].z
    scene = draw_scene(Draws(*key, 1), way, way / max(frames - 1, 1))
    grain = Draws(*key, 2)
    labels = np.array(scene.materials.labels, np.uint8)
    before = None
    for frame, pose in enumerate(poses):
        canvas = Canvas.blank(pose, lens.rays(pose))
        draw_background(canvas, scene)
        windows = draw_foreground(canvas, scene, lens, frame)
        flow, valid = backward_flow(canvas, before or canvas, scene.things, lens)
        if before is None:
            flow, valid = np.zeros_like(flow), np.zeros_like(valid)
        yield RenderedFrame(
            image=expose(canvas, scene.materials, scene.light, frame, noise, grain),
            label_ids=labels.take(canvas.material),
            flow=flow,
            valid=valid,
            boxes=_boxes(canvas.surface, scene, windows),
            things=things_seen(canvas, scene, windows, frame) if things else (),
        )
        before = canvas


def _boxes(surface: np.ndarray, scene: Scene, windows: Windows) -> list[dict]:
    """Boxes around the visible pixels of each thing that has a class of its own."""
    return [
        {"id": number + 1, "class": BOX_CLASSES[scene.things[number].kind], "box": [*box]}
        for number, box, _ in visible_parts(surface, windows)
        if scene.things[number].kind in BOX_CLASSES
    ]
