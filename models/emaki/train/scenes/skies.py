"""The upper part of a landscape at four times."""

import numpy as np

from .canvas import SIDE, X, Y, disc, gradient, noise, over, stars, tint

# What daylight colours are multiplied by.
LIGHT = {
    "day": np.array((1.0, 1.0, 1.0), np.float32),
    "sunset": np.array((1.0, 0.74, 0.66), np.float32),
    "night": np.array((0.34, 0.38, 0.56), np.float32),
    "cosmic": np.array((0.66, 0.52, 0.88), np.float32),
}


def _day(rng: np.random.Generator, horizon: float) -> np.ndarray:
    image = gradient(tint(rng, 70, 150, 230), tint(rng, 192, 228, 250),
                     Y / horizon)
    clouds = (noise(rng, 4) - rng.uniform(0.5, 1.3)) * 1.1
    return over(image, 252.0, np.clip(clouds, 0, 0.9))


def _sunset(rng: np.random.Generator, horizon: float) -> np.ndarray:
    image = gradient(tint(rng, 96, 62, 136), tint(rng, 255, 152, 72),
                     Y / horizon)
    x, radius = rng.uniform(0.15, 0.85), rng.uniform(0.07, 0.1)
    y = min(horizon, 0.85) - rng.uniform(0.02, 0.14)
    glow = np.exp(-5 * np.hypot(X - x, Y - y))[..., None]
    image = image + glow * np.array((90, 60, 10), np.float32)
    clouds = np.clip((noise(rng, 4) - 0.8) * 0.6, 0, 0.5)
    image = over(image, np.array((242, 112, 112), np.float32), clouds)
    return over(image, np.array((255, 238, 156), np.float32),
                disc(x, y, radius))


def _night(rng: np.random.Generator, horizon: float) -> np.ndarray:
    image = gradient(tint(rng, 8, 10, 36, spread=3),
                     tint(rng, 36, 50, 104, spread=4), Y / horizon)
    stars(image, rng, int(rng.integers(14, 30)), int(horizon * SIDE))
    if rng.random() < 0.6:
        x, y = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.2)
        image = over(image, np.array((246, 242, 216), np.float32),
                     disc(x, y, rng.uniform(0.05, 0.08)))
    return image


def _cosmic(rng: np.random.Generator, horizon: float) -> np.ndarray:
    image = gradient(tint(rng, 14, 6, 42, spread=4),
                     tint(rng, 44, 16, 80, spread=4), Y / horizon)
    for color in ((196, 56, 196), (44, 116, 220), (236, 116, 130)):
        cloud = np.clip((noise(rng, 4) - 0.3) * 0.5, 0, 0.75)
        image = over(image, tint(rng, *color, spread=12), cloud)
    stars(image, rng, int(rng.integers(20, 40)), int(horizon * SIDE))
    return image


_SKIES = {"day": _day, "sunset": _sunset, "night": _night, "cosmic": _cosmic}


def sky(rng: np.random.Generator, time: str, horizon: float) -> np.ndarray:
    """A whole picture of sky whose colours end at the horizon (0..1)."""
    return _SKIES[time](rng, horizon)
