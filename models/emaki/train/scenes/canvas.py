"""Drawing with arrays: float pictures [128, 128, 3] in 0..255."""

import numpy as np

SIDE = 128
Y = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None]
X = np.linspace(0, 1, SIDE, dtype=np.float32)[None]


def _smooth_noise(cutoff: float, count: int = 32) -> np.ndarray:
    """Fields of unit variance without detail finer than `cutoff` waves."""
    white = np.random.default_rng(12345).standard_normal((count, SIDE, SIDE))
    waves = np.fft.fftfreq(SIDE) * SIDE
    radius = np.hypot(waves[:, None], waves[None])
    kernel = np.exp(-((radius / cutoff) ** 2)) / (1 + radius)
    spectrum = np.fft.fftn(white, axes=(1, 2)) * kernel
    fields = np.fft.ifftn(spectrum, axes=(1, 2)).real
    return (fields / fields.std((1, 2), keepdims=True)).astype(np.float32)


_NOISE = {cutoff: _smooth_noise(cutoff) for cutoff in (4, 12)}


def noise(rng: np.random.Generator, cutoff: int) -> np.ndarray:
    """A smooth periodic field [128, 128], shifted anew each time."""
    field = _NOISE[cutoff][rng.integers(len(_NOISE[cutoff]))]
    return np.roll(field, tuple(rng.integers(0, SIDE, 2)), (0, 1))


def tint(rng: np.random.Generator, *rgb: float, spread: float = 6.0
         ) -> np.ndarray:
    """A colour close to the one given."""
    color = np.array(rgb, np.float32)
    return np.clip(color + rng.normal(0, spread, 3), 0, 255).astype(np.float32)


def gradient(top: np.ndarray, bottom: np.ndarray, y: np.ndarray = Y
             ) -> np.ndarray:
    """From `top` where y is 0 to `bottom` where y is 1, as a new picture."""
    t = np.clip(y, 0, 1)[..., None]
    rows = top * (1 - t) + bottom * t
    return np.broadcast_to(rows, (SIDE, SIDE, 3)).astype(np.float32)


def below(edge: np.ndarray | float) -> np.ndarray:
    """Antialiased mask of what lies under the line y = edge."""
    return np.clip((Y - edge) * SIDE, 0, 1) * np.ones_like(X)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    """Antialiased mask of a disc."""
    return np.clip((radius - np.hypot(X - x, Y - y)) * SIDE, 0, 1)


def over(image: np.ndarray, paint: np.ndarray | float, mask: np.ndarray
         ) -> np.ndarray:
    """`paint` where the mask is 1, `image` where it is 0."""
    return image + (paint - image) * mask[..., None]


def stars(image: np.ndarray, rng: np.random.Generator, count: int,
          bottom: int = SIDE) -> None:
    """Draws little crosses above the row `bottom`."""
    ys, xs = rng.integers(1, bottom, count), rng.integers(1, SIDE - 1, count)
    light = rng.uniform(150, 255, count).astype(np.float32)
    for dy, dx, share in ((0, 0, 1.0), (0, 1, 0.6), (1, 0, 0.6), (0, -1, 0.6),
                          (-1, 0, 0.6)):
        y, x = np.clip(ys + dy, 0, SIDE - 1), xs + dx
        image[y, x] = np.maximum(image[y, x], share * light[:, None])
