"""An animated clip: input, teacher, ours and copy with the running distance to the key frame."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deltadistill.pipeline.report.scenes import Scene
from deltadistill.pipeline.results.variants import Role

MAX_BYTES = 1_500_000
MILLISECONDS = 220  # slow enough to compare the panels
MOST_FRAMES = 60  # 13 seconds of these: of a video of minutes, its beginning
PANELS: tuple[Role, ...] = ("teacher", "ours", "copy")
COLUMNS = 2
_BARS_PER_WIDTH = 14  # labels grow with their panels, so that they can be read on a page a phone wide


@dataclass(frozen=True)
class Animation:
    """Animated WebP, and as a still the frame farthest from its key frame, for readers who want no motion."""

    moving: bytes
    still: bytes
    size: tuple[int, int]


def animate(scene: Scene, table: np.ndarray, *, max_bytes: int = MAX_BYTES) -> Animation:
    """Animate one clip in a 2 × 2 grid; quality, then frames, give way until it fits ``max_bytes``."""
    frames = [compose(scene, frame, table) for frame in range(min(len(scene.images), MOST_FRAMES))]
    still = frames[min(scene.period, len(frames)) - 1]
    while True:
        for quality in (78, 60, 45):
            moving = encode(frames, quality=quality)
            if len(moving) <= max_bytes:
                return Animation(moving, encode([still], quality=85), still.size)
        if len(frames) == 1:
            raise ValueError(
                f"one frame of {scene.clip} alone exceeds {max_bytes} bytes; lower the video's size"
            )
        frames = frames[: max(1, len(frames) // 2)]


def longest(scenes: tuple[Scene, ...]) -> Scene:
    """Return the scene with most frames."""
    return max(scenes, key=lambda scene: len(scene.images))


def compose(scene: Scene, frame: int, table: np.ndarray, *, panels: tuple[Role, ...] = PANELS) -> Image.Image:
    """One frame of the animation: the input and each panel's prediction blended over it, captions above."""
    distance = scene.distance(frame)
    state = "key frame" if distance == 0 else f"{distance} after key frame"
    pictures = [(f"input, {state}", scene.images[frame])]
    for name, label in scene.standing_for(panels).items():
        pictures.append((label, scene.blended(name, frame, table)))
    return grid(pictures, columns=COLUMNS)


def panel_rows(scene: Scene) -> tuple[str, ...]:
    """What the animation's rows show, from left to right, for a caption."""
    shown = ["input", *scene.standing_for(PANELS).values()]
    return tuple(" and ".join(shown[i : i + COLUMNS]) for i in range(0, len(shown), COLUMNS))


def panel_labels(scene: Scene) -> str:
    """Whose predictions the animation shows, in words."""
    *first, last = scene.standing_for(PANELS).values()
    return " and ".join(filter(None, (", ".join(first), last)))


def grid(pictures: list[tuple[str, np.ndarray]], *, columns: int, tile_width: int = 400) -> Image.Image:
    """Arrange captioned pictures (H, W, 3) in a grid on a dark ground; both sides are even for video."""
    height, width = pictures[0][1].shape[:2]
    size = (tile_width, round(height * tile_width / width / 2) * 2)
    rows, bar = -(-len(pictures) // columns), bar_height(tile_width)
    canvas = Image.new("RGB", (columns * size[0], rows * (size[1] + bar)), (22, 26, 31))
    draw, font = ImageDraw.Draw(canvas), label_font(tile_width)
    resampling = Image.Resampling.BICUBIC
    for index, (text, picture) in enumerate(pictures):
        x, y = index % columns * size[0], index // columns * (size[1] + bar)
        draw.text((x + 8, y + bar / 2), text, fill=(235, 238, 241), font=font, anchor="lm")
        canvas.paste(Image.fromarray(picture).resize(size, resampling), (x, y + bar))
    return canvas


def bar_height(tile_width: int) -> int:
    """Height of the bar above a panel that holds its label; even, for video."""
    return round(tile_width / _BARS_PER_WIDTH / 2) * 2


def label_font(tile_width: int) -> ImageFont.FreeTypeFont:
    """The font of a panel's label."""
    return ImageFont.load_default(size=0.72 * bar_height(tile_width))


def encode(frames: list[Image.Image], *, quality: int, milliseconds: int = MILLISECONDS) -> bytes:
    """Encode an endless WebP animation, or a still where there is one frame."""
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:], "duration": milliseconds, "loop": 0}
    frames[0].save(buffer, format="WEBP", quality=quality, method=4, **(more if len(frames) > 1 else {}))
    return buffer.getvalue()
