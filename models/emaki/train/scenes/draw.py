"""Turns a scene into pixels."""

import numpy as np

from . import styles
from .canvas import SIDE, X, Y, gradient, tint
from .layout import arrange
from .places import FLOATING, background
from .scene import Scene
from .sprites import sprite
from .vocabulary import COLORS, THINGS


def draw(scene: Scene, rng: np.random.Generator
         ) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [128, 128, 3], and a mask [128, 128] of where the things are."""
    image = _plain(scene.color, rng) if scene.color \
        else background(rng, scene.place, scene.time)
    image = np.ascontiguousarray(image, np.float32)
    mask = np.zeros((SIDE, SIDE), np.float32)
    stands = scene.place and scene.place not in (*FLOATING, "ocean")
    for thing, left, top, size in arrange(scene, rng):
        pixels = sprite(thing, size)
        if stands and not THINGS[thing].flies:
            _shade(image, pixels, left, top, size)
        window = (slice(top, top + size), slice(left, left + size))
        alpha = pixels[..., 3:]
        image[window] += (pixels[..., :3] - image[window]) * alpha
        mask[window] = np.maximum(mask[window], alpha[..., 0])
    finished = np.clip(image, 0, 255).astype(np.uint8)
    if scene.style:
        finished = styles.apply(finished, scene.style, rng)
    return finished, mask


def _plain(color: str, rng: np.random.Generator) -> np.ndarray:
    """One colour, a little lighter above."""
    near = tint(rng, *COLORS[color][0])
    return gradient(np.minimum(near * 1.06, 255), near * 0.92)


def _shade(image: np.ndarray, pixels: np.ndarray, left: int, top: int,
           size: int) -> None:
    """A soft shadow under the thing's feet."""
    columns = np.flatnonzero(pixels[..., 3].max(0) > 0.5)
    half = max(len(columns), 2) / 2 / SIDE * 0.95
    x, y = (left + size / 2) / SIDE, (top + size - 1) / SIDE
    away = ((X - x) / half) ** 2 + ((Y - y) / (0.035 + half * 0.08)) ** 2
    image *= 1 - 0.4 * np.clip(1 - away, 0, 1)[..., None]
