"""Questions put to the model: groups of prompts that differ in one thing only.

Within a group every picture must be recognised among the group's own prompts.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from scenes import Captioner, Scene, sample
from scenes.scene import NO_SKY, held_out
from scenes.vocabulary import COLORS, PLACES, POSITIONS, STYLES, THINGS

_WAYS = 16


@dataclass(frozen=True)
class Group:
    suite: str
    scenes: tuple[Scene, ...]
    prompts: tuple[str, ...]


def _group(suite: str, scenes: list[Scene], rng: np.random.Generator,
           usual: bool = True, language: str | None = "en") -> Group:
    captioner = Captioner(rng)
    prompts = [captioner.describe(s, language, usual).text for s in scenes]
    return Group(suite, tuple(scenes), tuple(prompts))


def _objects(rng: np.random.Generator, places: int, colors: int
             ) -> list[Group]:
    """Only the thing differs: held-out pairs with places, then on colours."""
    groups = []
    for place in list(PLACES)[:places]:
        unseen = [i for i in range(len(THINGS)) if held_out(i, place)]
        picked = rng.choice(unseen, _WAYS, replace=False)
        scenes = [Scene((int(i),), 1, place, "day") for i in picked]
        groups.append(_group(f"object, unseen with {place}", scenes, rng))
    for color in list(COLORS)[:colors]:
        picked = rng.choice(len(THINGS), _WAYS, replace=False)
        scenes = [Scene((int(i),), 1, color=color) for i in picked]
        groups.append(_group(f"object, on {color}", scenes, rng))
    return groups


def _places(rng: np.random.Generator, count: int) -> list[Group]:
    """Only the background differs: every place by day, and space."""
    grounds = [(p, "day") for p in PLACES] + [("sky", "cosmic")]
    return [_group("place", [Scene((thing,), 1, p, t) for p, t in grounds], rng)
            for thing in _some_things(rng, count)]


def _times(rng: np.random.Generator, count: int) -> list[Group]:
    grounds = [p for p in PLACES if p not in (*NO_SKY, "moonscape")]
    return [_group("time", [Scene((thing,), 1, place, time) for time in
                            ("day", "sunset", "night", "cosmic")], rng)
            for thing, place in zip(_some_things(rng, count),
                                    rng.choice(grounds, count))]


def _variants(rng: np.random.Generator, suite: str, count: int,
              changes: list[dict]) -> list[Group]:
    """One thing on white or blue, changed in one respect."""
    groups = []
    for number, thing in enumerate(_some_things(rng, count)):
        base = Scene((thing,), 1, color=("white", "light blue")[number % 2])
        scenes = [dataclasses.replace(base, **change) for change in changes]
        groups.append(_group(suite, scenes, rng))
    return groups


def _pairs(rng: np.random.Generator, count: int) -> list[Group]:
    """Two things on white: one stays, the other differs."""
    groups = []
    for one in _some_things(rng, count):
        others = [i for i in range(len(THINGS)) if i != one]
        picked = rng.choice(others, _WAYS, replace=False)
        scenes = [Scene((one, int(i)), 2, color="white") for i in picked]
        groups.append(_group("two things, one of them", scenes, rng))
    return groups


def _random(rng: np.random.Generator, count: int) -> list[Group]:
    """Captions as in training, in both languages, everything differing."""
    groups = []
    while len(groups) < count:
        scenes = [s for s in (sample(rng) for _ in range(3 * _WAYS))
                  if s.count > 0][:_WAYS]
        groups.append(_group("random", scenes, rng, usual=False,
                             language=None))
    return groups


def _some_things(rng: np.random.Generator, count: int) -> list[int]:
    return [int(i) for i in rng.choice(len(THINGS), count, replace=False)]


def build(seed: int, scale: float = 1.0) -> list[Group]:
    """About 600 pictures at scale 1."""
    rng = np.random.default_rng(seed)

    def some(count: int) -> int:
        return max(1, round(count * scale))

    return [
        *_objects(rng, min(some(10), len(PLACES)), some(6)),
        *_places(rng, some(4)),
        *_times(rng, some(4)),
        *_variants(rng, "position", some(6),
                   [dict(position=p) for p in POSITIONS]),
        *_variants(rng, "count", some(6), [dict(count=n) for n in (1, 2, 3)]),
        *_variants(rng, "style", some(4),
                   [dict(), *(dict(style=s) for s in STYLES)]),
        *_variants(rng, "color", some(1), [dict(color=c) for c in COLORS]),
        *_random(rng, some(6)),
        *_pairs(rng, some(4)),
    ]
