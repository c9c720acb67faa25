"""Backgrounds. Each painter turns a sky into a landscape under it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .canvas import (SIDE, X, Y, below, disc, gradient, noise, over, stars,
                     tint)
from .skies import LIGHT, sky

_HORIZONS = (0.4375, 0.5, 0.5625)  # few, and on latent cells: easier to learn


@dataclass
class _View:
    """What painters share while one background is drawn."""

    rng: np.random.Generator
    image: np.ndarray
    horizon: float
    time: str

    @property
    def light(self) -> np.ndarray:
        return LIGHT[self.time]

    def paint(self, paint: np.ndarray | float, mask: np.ndarray) -> None:
        self.image = over(self.image, paint, mask)

    def color(self, *rgb: float) -> np.ndarray:
        return tint(self.rng, *rgb) * self.light

    def wave(self, height: float, low: float, high: float) -> np.ndarray:
        """A gentle sine line around zero, [1, 128]."""
        phase, waves = self.rng.uniform(0, 6.3), self.rng.uniform(low, high)
        return height * np.sin(X * waves + phase)

    def ground(self, *rgb: float, edge: np.ndarray | float | None = None,
               dim: float = 0.8) -> None:
        """Fills what is under `edge`, darker towards the viewer."""
        top = self.horizon if edge is None else edge
        near = self.color(*rgb)
        depth = (Y - self.horizon) / (1 - self.horizon)
        self.paint(gradient(near, near * dim, depth), below(top))


def _water(view: _View, top: tuple, bottom: tuple, edge: float) -> None:
    depth = (Y - edge) / (1 - edge)
    water = gradient(view.color(*top), view.color(*bottom), depth)
    swell = np.sin(np.maximum(Y - edge, 0) ** 0.6 * 70 + 2 * noise(view.rng, 4))
    water = water + (swell * 9)[..., None] * view.light
    view.paint(water, below(edge))


def _ridges(view: _View, height: float, *rgb: float) -> np.ndarray:
    """Triangular mountains; returns their upper edge."""
    waves, phase = view.rng.uniform(1.6, 2.6), view.rng.uniform(0, 1)
    saw = np.abs((X * waves + phase) % 1 - 0.5) * 0.45
    edge = view.horizon - height + saw + 0.03 * noise(view.rng, 4)[:1]
    view.paint(view.color(*rgb), below(edge))
    return edge


def _trees(view: _View, colors: list[tuple], step: float) -> None:
    """Two rows of conifers, the nearer row lower and lighter."""
    for row in range(2):
        edge = np.ones((1, SIDE), np.float32)
        for x in np.arange(-0.05, 1.1, step):
            x += view.rng.uniform(-0.02, 0.02)
            height = view.rng.uniform(0.24, 0.4) * (1 - 0.25 * row)
            tree = view.horizon + 0.06 * row - height + 5 * np.abs(X - x)
            edge = np.minimum(edge, tree)
        view.paint(view.color(*colors[row]), below(edge))


def _beach(view: _View) -> None:
    _water(view, (34, 136, 206), (84, 214, 220), view.horizon)
    shore = view.horizon + view.rng.uniform(0.14, 0.22) + view.wave(0.02, 4, 8)
    view.paint(view.color(242, 218, 164), below(shore))
    foam = np.clip(1 - np.abs(Y - shore) * SIDE * 0.3, 0, 1)
    view.paint(250 * (view.light * 0.5 + 0.5), foam)


def _ocean(view: _View) -> None:
    _water(view, (44, 126, 196), (14, 66, 142), view.horizon)


def _lake(view: _View) -> None:
    _ridges(view, 0.2, 96, 140, 110)
    _water(view, (120, 186, 214), (60, 130, 170), view.horizon)
    bank = 0.86 + view.wave(0.02, 3, 6)
    view.ground(110, 180, 84, edge=bank)


def _desert(view: _View) -> None:
    for row in range(3):
        dune = view.horizon + 0.14 * row + view.wave(0.045, 3, 7)
        view.paint(view.color(232 - 16 * row, 184 - 16 * row, 112 - 12 * row),
                   below(dune))


def _snow(view: _View) -> None:
    _ridges(view, 0.24, 176, 196, 222)
    view.ground(242, 247, 252, edge=view.horizon + view.wave(0.025, 2, 5),
                dim=0.9)
    stars(view.image, view.rng, int(view.rng.integers(8, 24)))


def _meadow(view: _View) -> None:
    view.ground(140, 196, 120, edge=view.horizon - 0.05 + view.wave(0.04, 3, 6))
    view.ground(112, 192, 78, edge=view.horizon + 0.04 + view.wave(0.03, 2, 5))


def _flowers(view: _View) -> None:
    _meadow(view)
    palette = ((250, 244, 250), (252, 222, 84), (242, 120, 156), (196, 120, 226))
    for _ in range(22):
        y = view.rng.uniform(view.horizon + 0.1, 0.99)
        radius = 0.008 + 0.02 * (y - view.horizon)
        color = palette[view.rng.integers(len(palette))]
        view.paint(view.color(*color), disc(view.rng.random(), y, radius))


def _forest(view: _View) -> None:
    _trees(view, [(22, 84, 48), (40, 110, 56)], step=0.1)
    view.ground(70, 134, 60, edge=view.horizon + 0.06)


def _autumn(view: _View) -> None:
    _trees(view, [(176, 70, 36), (226, 132, 44)], step=0.12)
    view.ground(190, 140, 74, edge=view.horizon + 0.06)


def _mountain(view: _View) -> None:
    edge = _ridges(view, 0.36, 98, 114, 142)
    cap = below(edge) * (1 - below(edge + 0.09 + 0.02 * noise(view.rng, 12)[:1]))
    view.paint(246 * view.light, cap)
    view.ground(106, 162, 86, edge=view.horizon + view.wave(0.03, 2, 5))


def _city(view: _View) -> None:
    """Towers on the latent grid, with windows of four by four pixels."""
    base = view.color(96, 104, 126) * 0.85
    lit = 0.4 if view.time == "day" else 0.7
    glass = np.array((190, 216, 236) if view.time == "day"
                     else (255, 224, 124), np.float32)
    x = 0
    while x < SIDE:
        width = 8 * int(view.rng.integers(1, 4))
        rows = int(view.rng.integers(3, 12))
        top = int(view.horizon * SIDE) - 4 * rows
        bottom = int(view.horizon * SIDE)
        tower = view.image[max(top, 0):bottom, x:x + width]
        tower[:] = base * view.rng.uniform(0.75, 1.15)
        for wy in range(2, tower.shape[0] - 2, 6):
            for wx in range(2, tower.shape[1] - 2, 4):
                if view.rng.random() < lit:
                    tower[wy:wy + 3, wx:wx + 2] = glass
        x += width
    view.ground(88, 90, 100)
    row = int(SIDE * (view.horizon + 0.6 * (1 - view.horizon)))
    for x in range(0, SIDE, 32):
        view.image[row:row + 4, x:x + 16] = 216 * view.light


def _sky(view: _View) -> None:
    """Nothing under it."""


def _underwater(view: _View) -> None:
    view.image = gradient(tint(view.rng, 66, 186, 224), tint(view.rng, 8, 54, 116))
    rays = np.sin(X * view.rng.uniform(14, 22) + 4 * Y
                  + view.rng.uniform(0, 6)) * (1 - Y) * 0.18
    view.paint(255.0, np.clip(rays, 0, 1))
    view.paint(tint(view.rng, 176, 162, 112), below(0.84 + view.wave(0.02, 5, 9)))
    for _ in range(int(view.rng.integers(3, 7))):
        x, y = view.rng.uniform(0, 1), view.rng.uniform(0, 0.75)
        radius = view.rng.uniform(0.012, 0.025)
        ring = disc(x, y, radius) * (1 - disc(x, y, radius - 0.01))
        view.paint(235.0, ring * 0.7)


def _moonscape(view: _View) -> None:
    view.image = sky(view.rng, "night" if view.time == "day" else view.time, 1.0)
    view.paint(tint(view.rng, 172, 172, 178), below(view.horizon + view.wave(0.02, 2, 4)))
    for _ in range(6):
        y = view.rng.uniform(view.horizon + 0.1, 0.97)
        radius = 0.02 + 0.1 * (y - view.horizon)
        away = np.hypot((X - view.rng.random()) / radius,
                        (Y - y) / (radius * 0.4))
        view.paint(tint(view.rng, 132, 132, 140), np.clip(4 - 4 * away, 0, 1))


def _room(view: _View) -> None:
    wall = tint(view.rng, 244, 226, 196, spread=12)
    view.image = gradient(wall, wall * 0.92)
    floor = 0.6875
    view.paint(tint(view.rng, 176, 118, 72), below(floor))
    for line in (0.76, 0.84, 0.93):
        view.paint(tint(view.rng, 140, 90, 52),
                   np.clip(1 - np.abs(Y - line) * SIDE * 0.7, 0, 1)
                   * np.ones_like(X))
    left = 8 * int(view.rng.choice((1, 10)))
    view.image[12:52, left:left + 40] = 250
    view.image[16:48, left + 4:left + 36] = tint(view.rng, 150, 210, 248)
    view.image[30:34, left:left + 40] = view.image[12:52, left + 18:left + 22] = 250


_PAINTERS: dict[str, Callable[[_View], None]] = {
    "beach": _beach, "ocean": _ocean, "lake": _lake, "desert": _desert,
    "snow": _snow, "meadow": _meadow, "flowers": _flowers, "forest": _forest,
    "autumn": _autumn, "mountain": _mountain, "city": _city, "sky": _sky,
    "underwater": _underwater, "moonscape": _moonscape, "room": _room,
}
FLOATING = ("sky", "underwater")  # nothing to stand on


def background(rng: np.random.Generator, place: str, time: str) -> np.ndarray:
    """A float picture [128, 128, 3] in about 0..255."""
    horizon = _HORIZONS[rng.integers(len(_HORIZONS))]
    full = 1.0 if place == "sky" else horizon
    view = _View(rng, sky(rng, time, full), horizon, time)
    _PAINTERS[place](view)
    return view.image
