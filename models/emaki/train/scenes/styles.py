"""Filters that turn a finished picture into another medium."""

import numpy as np
from PIL import Image, ImageFilter

from .canvas import SIDE, X, Y, noise

_LUMA = np.array((0.30, 0.59, 0.11), np.float32)


def _pixel(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blocks of four pixels with few shades."""
    blocks = Image.fromarray(image).resize((SIDE // 4, SIDE // 4), Image.BOX)
    large = blocks.resize((SIDE, SIDE), Image.NEAREST)
    return np.asarray(large) // 24 * 24 + 12


def _watercolor(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Soft patches, washed out, fading into paper at the edges."""
    soft = Image.fromarray(image).filter(ImageFilter.MedianFilter(5))
    soft = np.asarray(soft.filter(ImageFilter.GaussianBlur(1)), np.float32)
    pale = soft * 0.78 + 255 * 0.22 + 8 * noise(rng, 12)[..., None]
    far = np.maximum(np.abs(X - 0.5), np.abs(Y - 0.5)) * 2
    paper = np.clip(far - 0.9 + 0.03 * noise(rng, 12), 0, 0.1)[..., None] * 10
    return np.clip(pale * (1 - paper) + 250 * paper, 0, 255).astype(np.uint8)


def _gray(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32) @ _LUMA


def _mono(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.repeat(_gray(image)[..., None], 3, -1).astype(np.uint8)


def _sepia(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    brown = np.array((1.05, 0.86, 0.61), np.float32)
    toned = _gray(image)[..., None] * brown + 12
    return np.clip(toned, 0, 255).astype(np.uint8)


def _line(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dark edges on white paper."""
    gray = _gray(image)
    across = np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
    down = np.abs(np.diff(gray, axis=0, append=gray[-1:]))
    ink = np.clip((across + down - 10) * 3.2, 0, 225)
    return np.repeat((250 - ink)[..., None], 3, -1).astype(np.uint8)


_FILTERS = {"pixel": _pixel, "watercolor": _watercolor, "mono": _mono,
            "sepia": _sepia, "line": _line}


def apply(image: np.ndarray, style: str, rng: np.random.Generator
          ) -> np.ndarray:
    """uint8 picture to uint8 picture."""
    return _FILTERS[style](image, rng)
