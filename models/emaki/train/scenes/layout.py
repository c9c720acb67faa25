"""Where things are put. Every corner lies on the grid of latent cells.

There are few sizes and few places, because a glyph at a known cell is the same
latents every time, which is what makes it quick to learn.
"""

import numpy as np

from .places import FLOATING
from .scene import Scene
from .vocabulary import THINGS

CELL = 8
_SIDE = 128
_ONE = 80
_SIZES = {"small": 40, "big": 104}
_POSITIONED = 64
_PAIR = 56
_TRIO = 40


def arrange(scene: Scene, rng: np.random.Generator
            ) -> list[tuple[int, int, int, int]]:
    """(thing, left, top, size) of each thing, in pixels."""
    if scene.count == 0:
        return []
    if scene.count == 1:
        return [_single(scene, rng)]
    size = _PAIR if scene.count == 2 else _TRIO
    lefts = (8, 64) if scene.count == 2 else (0, 40, 80)
    shift = 0 if scene.count == 2 else CELL * int(rng.integers(2))
    things = scene.things * scene.count if len(scene.things) == 1 \
        else scene.things
    return [(thing, left + shift, _top(scene, thing, size, rng), size)
            for thing, left in zip(things, lefts)]


def _single(scene: Scene, rng: np.random.Generator
            ) -> tuple[int, int, int, int]:
    size = _SIZES.get(scene.size, _POSITIONED if scene.position else _ONE)
    if scene.position and scene.size == "big":
        size = _ONE
    room = _SIDE - size
    middle = CELL * (room // 2 // CELL)
    nudge = CELL * int(rng.integers(2))
    left = min(middle + CELL * int(rng.integers(-1, 2)), room)
    top = _top(scene, scene.things[0], size, rng)
    if scene.position == "left":
        left = nudge
    elif scene.position == "right":
        left = room - nudge
    elif scene.position == "top":
        top = nudge
    elif scene.position == "bottom":
        top = room - nudge
    return scene.things[0], max(left, 0), top, size


def _top(scene: Scene, thing: int, size: int, rng: np.random.Generator) -> int:
    """Things stand near the bottom of a landscape, fly near its top, and keep
    to the middle where there is no ground."""
    room = _SIDE - size
    nudge = CELL * int(rng.integers(2))
    if scene.place is None or scene.place in FLOATING:
        return min(CELL * (room // 2 // CELL) + nudge, room)
    if THINGS[thing].flies:
        return min(CELL + nudge, room)
    return max(room - CELL - nudge, 0)
