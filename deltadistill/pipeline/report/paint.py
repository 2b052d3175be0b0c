"""Predictions as pictures: class colours, blended over frames or not, highlighted mistakes, data URIs."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

MISTAKE = np.array([255, 59, 48], np.uint8)  # a red that no class of the street palettes uses


def palette(colors: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Lookup table (256 or more, 3) uint8 from class index to colour; all else, ignored too, is black."""
    table = np.zeros((max(256, len(colors)), 3), np.uint8)
    table[: len(colors)] = np.asarray(colors, np.uint8)
    return table


def blend(image: np.ndarray, prediction: np.ndarray, table: np.ndarray, *, share: float = 0.55) -> np.ndarray:
    """Blend class colours (``share`` of the result) over an image (H, W, 3); prediction (H, W) uint8."""
    return (image * (1 - share) + table[prediction] * share).astype(np.uint8)


def mistakes(image: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Paint the wrong pixels, (H, W) bool, red over a pale grey version of the image, (H, W, 3) uint8."""
    grey = image.mean(axis=2, keepdims=True) * 0.45 + 135
    pale = np.repeat(grey, 3, axis=2).astype(np.uint8)
    pale[wrong] = MISTAKE
    return pale


def photo_uri(image: np.ndarray, *, width: int = 320, quality: int = 80) -> str:
    """Data URI of a photo (H, W, 3), scaled down to at most ``width``, lossy."""
    picture = shrink(Image.fromarray(image), width, Image.Resampling.LANCZOS)
    return _webp_uri(picture, quality=quality, method=6)


def map_uri(image: np.ndarray, *, width: int = 320) -> str:
    """Data URI of a picture with few flat colours (H, W, 3): lossless, scaled down without mixing colours."""
    picture = shrink(Image.fromarray(image), width, Image.Resampling.NEAREST)
    return _webp_uri(picture, lossless=True, method=6)


def shrink(picture: Image.Image, width: int, resampling: Image.Resampling) -> Image.Image:
    """Scale down to at most ``width`` pixels; smaller pictures stay as they are."""
    if picture.width <= width:
        return picture
    return picture.resize((width, round(picture.height * width / picture.width)), resampling)


def _webp_uri(picture: Image.Image, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", **options)
    return data_uri(buffer.getvalue())


def data_uri(content: bytes, *, kind: str = "image/webp") -> str:
    """Embed bytes in a page."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
