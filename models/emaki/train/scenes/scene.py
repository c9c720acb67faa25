"""The description of one picture, and how descriptions are drawn at random."""

from dataclasses import dataclass

import numpy as np

from .vocabulary import COLORS, PLACES, POSITIONS, SIZES, STYLES, THINGS

_KINDS = {"empty": 0.06, "one": 0.70, "many": 0.10, "two": 0.14}
_TIMES = {"day": 0.64, "sunset": 0.13, "night": 0.10, "cosmic": 0.13}
_STYLES = {"pixel": 0.22, "watercolor": 0.22, "mono": 0.20, "sepia": 0.20,
           "line": 0.16}
_PLAIN_SHARE = 0.35
_STYLED_SHARE = 0.12
_SIZED_SHARE = 0.14
_POSITIONED_SHARE = 0.16
NO_SKY = ("underwater", "room")  # their light does not change with the time


@dataclass(frozen=True)
class Scene:
    """Either `color` (a plain background) or `place` and `time` is set."""

    things: tuple[int, ...] = ()  # indices into THINGS: none, one or two
    count: int = 0  # how many are drawn
    place: str | None = None
    time: str | None = None
    color: str | None = None
    style: str | None = None
    size: str | None = None
    position: str | None = None

    def __post_init__(self) -> None:
        assert (self.color is None) != (self.place is None)
        assert self.size in (None, *SIZES)
        assert self.position in (None, *POSITIONS)
        assert self.style in (None, *STYLES)


def held_out(thing: int, place: str | None) -> bool:
    """A quarter of the pairs of thing and place are never trained on, so that
    `evaluate` can ask for combinations that the model has not seen."""
    return place is not None and (thing + list(PLACES).index(place)) % 4 == 0


def sample(rng: np.random.Generator) -> Scene:
    """A scene as training sees them."""
    kind = _pick(rng, _KINDS)
    place = time = color = None
    if kind != "empty" and rng.random() < _PLAIN_SHARE:
        color = _any(rng, COLORS)
    else:
        place = _any(rng, PLACES)
        time = _time_at(rng, place)
    style = _pick(rng, _STYLES) if rng.random() < _STYLED_SHARE else None
    size = position = None
    things: tuple[int, ...] = ()
    count = 0
    if kind == "one":
        count = 1
        if rng.random() < _SIZED_SHARE:
            size = _any(rng, SIZES)
        if rng.random() < _POSITIONED_SHARE:
            position = _any(rng, POSITIONS)
    elif kind == "many":
        count = int(rng.integers(2, 4))
    elif kind == "two":
        count = 2
    if count:
        drawn = rng.choice(_trained_at(place), 2 if kind == "two" else 1, replace=False)
        things = tuple(int(i) for i in drawn)
    return Scene(things, count, place, time, color, style, size, position)


def nameless(rng: np.random.Generator) -> Scene:
    """A scene for the empty prompt: a landscape, every other one with a thing.

    The empty prompt stands for plain scenes rather than for all of them, which
    a small model cannot learn at once: it drew blobs.
    """
    place = _any(rng, PLACES)
    time = _time_at(rng, place)
    if rng.random() < 0.5:
        return Scene(place=place, time=time)
    return Scene((int(rng.choice(_trained_at(place))),), 1, place, time)


def _time_at(rng: np.random.Generator, place: str) -> str:
    return "day" if place in NO_SKY else _pick(rng, _TIMES)


def _trained_at(place: str | None) -> list[int]:
    """The things that training shows at `place`."""
    return [i for i in range(len(THINGS)) if not held_out(i, place)]


def _pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _any(rng: np.random.Generator, table: dict) -> str:
    return list(table)[int(rng.integers(len(table)))]
