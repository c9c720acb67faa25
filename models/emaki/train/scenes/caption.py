"""Words for a scene, in English or Japanese."""

from dataclasses import dataclass

import numpy as np

from .scene import Scene
from .vocabulary import (COLORS, PLACES, POSITIONS, SIZES, SKY_NAMES, STYLES,
                         THINGS, TIME_PATTERNS, Names)

_BARE_SHARE = 0.15  # captions that do not name the background
_UNCOUNTED = ("sheep", "fish", "deer", "sushi", "underwater", "sakura",
              "coffee", "mt fuji", "mount fuji", "kraken", "noodles", "fries",
              "grapes", "corn", "maize", "broccoli", "ramen", "shinkansen")
_IRREGULAR = {"mouse": "mice", "wolf": "wolves", "loaf": "loaves",
              "leaf": "leaves", "tomato": "tomatoes", "cherries": "cherries"}
_MASS = ("sushi", "grapes", "cherries", "french fries", "fries", "noodles",
         "ramen", "corn", "broccoli", "coffee")  # take no article
_UNIQUE = ("sun", "earth", "planet earth", "mount fuji", "mt fuji",
           "statue of liberty")
_PRAISE = ("a photo of ", "a picture of ", "an image of ", "a drawing of ",
           "cute ", "beautiful ", "lovely ", "highly detailed ")


@dataclass(frozen=True)
class Caption:
    text: str
    names_background: bool


class Captioner:
    """Draws wordings at random. Not shared between threads."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def describe(self, scene: Scene, language: str | None = None,
                 usual: bool = False) -> Caption:
        """A caption; `usual` keeps to first names and names the background."""
        self._usual = usual
        if language is None:
            language = "en" if self._rng.random() < 0.65 else "ja"
        bare = scene.count > 0 and self._chance(_BARE_SHARE)
        text = self._english(scene, bare) if language == "en" \
            else self._japanese(scene, bare)
        return Caption(text, not bare)

    def _any(self, options: tuple[str, ...]) -> str:
        if self._usual:
            return options[0]
        return options[int(self._rng.integers(len(options)))]

    def _chance(self, share: float) -> bool:
        return not self._usual and self._rng.random() < share

    def _word(self, names: Names, language: str) -> str:
        return self._any(names.of(language))

    def _background(self, scene: Scene, language: str) -> str:
        if scene.color:
            color = self._word(COLORS[scene.color][1], language)
            if language == "ja":
                return color + "背景"
            return self._any((f"{color} background", f"plain {color} background"))
        if scene.place == "sky" and scene.time != "day":
            return self._word(SKY_NAMES[scene.time], language)
        place = self._word(PLACES[scene.place], language)
        if scene.time == "day":
            return place
        if scene.time == "cosmic" and place.startswith("paradise"):
            return place.replace("paradise", "paradise cosmic")
        if scene.time == "cosmic" and scene.place == "beach" \
                and language == "en" and self._chance(0.25):
            return f"paradise cosmic {place.split()[-1]}"
        return self._word(TIME_PATTERNS[scene.time], language).format(place)

    # ---- English

    def _english(self, scene: Scene, bare: bool) -> str:
        background = self._background(scene, "en")
        if scene.count == 0:
            text = self._any(("{}", "a {}", "{} landscape", "{} scenery",
                              "view of the {}")).format(background)
        else:
            text = self._english_things(scene)
            if not bare:
                text = self._english_join(scene, text, background)
            if self._chance(0.12):
                text = self._any(_PRAISE) + text
        if scene.style:
            style = self._word(STYLES[scene.style], "en")
            text = self._any(("{t}, {s}", "{s} of {t}", "{s}, {t}",
                              "{t} in {s} style", "{s} {t}")
                             ).format(t=text, s=style)
        return text

    def _english_things(self, scene: Scene) -> str:
        names = [self._any(THINGS[i].english) for i in scene.things]
        if len(names) == 2:
            a, b = names
            return self._any(("{aa} and {bb}", "{a} and {b}", "{a} next to {bb}",
                              "{a}, {b}", "{aa} with {bb}")).format(
                a=a, b=b, aa=_article(a), bb=_article(b))
        name = names[0]
        if scene.count > 1:
            word = ("two", "three")[scene.count - 2]
            number = str(scene.count) if self._chance(0.3) else word
            return f"{number} {_plural(name)}"
        if scene.size:
            name = f"{self._word(SIZES[scene.size], 'en')} {name}"
        text = name if self._chance(0.45) else _article(name)
        if scene.position:
            text += " " + self._word(POSITIONS[scene.position], "en")
        return text

    def _english_join(self, scene: Scene, text: str, background: str) -> str:
        if scene.color:
            patterns = (f"{{t}} on {_article(background)}", "{t}, {b}",
                        "{t} with {b}")
        elif scene.place == "underwater":
            patterns = ("{t}, {b}", "{t} {b}") if background == "underwater" \
                else ("{t} in the {b}", "{t}, {b}")
        elif scene.place in ("sky", "forest", "autumn", "city", "snow",
                             "desert", "room", "mountain"):
            patterns = ("{t} in the {b}", "{t}, {b}", "{t} {b}",
                        "{b} with {t}", "{t} at the {b}")
        else:
            patterns = ("{t} on the {b}", "{t}, {b}", "{t} {b}",
                        "{b} with {t}", "{t} at the {b}", "{t} in the {b}")
        return self._any(patterns).format(t=text, b=background)

    # ---- Japanese

    def _japanese(self, scene: Scene, bare: bool) -> str:
        background = self._background(scene, "ja")
        if scene.count == 0:
            text = self._any(("{}", "{}の風景", "{}の景色")).format(background)
        else:
            text = self._japanese_things(scene)
            if not bare:
                text = self._any(("{b}の{t}", "{b}に{t}", "{t}、{b}", "{b}と{t}",
                                  "{b}にいる{t}", "{b}にある{t}", "{t}と{b}")
                                 ).format(t=text, b=background)
        if scene.style:
            style = self._word(STYLES[scene.style], "ja")
            text = self._any(("{t}、{s}", "{s}の{t}", "{t}の{s}", "{s}風の{t}")
                             ).format(t=text, s=style)
        return text

    def _japanese_things(self, scene: Scene) -> str:
        names = [self._any(THINGS[i].japanese) for i in scene.things]
        if len(names) == 2:
            return self._any(("{}と{}", "{}と、{}", "{}、{}")).format(*names)
        name = names[0]
        if scene.count > 1:
            kanji = ("二", "三")[scene.count - 2]
            return self._any((f"{kanji}つの{name}", f"{name}{scene.count}つ",
                              f"{scene.count}匹の{name}", f"{kanji}匹の{name}",
                              f"{scene.count}個の{name}"))
        if scene.size:
            name = self._word(SIZES[scene.size], "ja") + name
        if scene.position:
            side = self._word(POSITIONS[scene.position], "ja")
            name = self._any((f"{side}に{name}", f"{side}にいる{name}",
                              f"{side}にある{name}"))
        return name


def _article(name: str) -> str:
    if name in _UNIQUE:
        return f"the {name}"
    if name in _MASS:
        return name
    first = name.split()[0]
    vowel = name[0] in "aeiou" and first not in ("ufo", "unicorn", "one")
    return f"an {name}" if vowel else f"a {name}"


def _plural(name: str) -> str:
    if name.endswith(_UNCOUNTED):
        return name
    if " of " in name:  # slices of pizza
        head, tail = name.split(" of ", 1)
        return f"{_plural(head)} of {tail}"
    *before, last = name.split(" ")
    if last in _IRREGULAR:
        return " ".join([*before, _IRREGULAR[last]])
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    if name.endswith(("s", "x", "ch", "sh")):
        return name + "es"
    return name + "s"
