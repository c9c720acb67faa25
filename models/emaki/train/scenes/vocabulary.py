"""What a scene may hold, and the English and Japanese words for it."""

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
PIRATE_SHIP = "pirate"  # not a glyph: composed in sprites.py


@dataclass(frozen=True)
class Thing:
    glyph: str
    family: str
    flies: bool  # belongs in the sky rather than on the ground
    english: tuple[str, ...]
    japanese: tuple[str, ...]


@dataclass(frozen=True)
class Names:
    english: tuple[str, ...]
    japanese: tuple[str, ...]

    def of(self, language: str) -> tuple[str, ...]:
        return self.english if language == "en" else self.japanese


def _rows(name: str) -> list[list[str]]:
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line[:1] not in ("", "#")]


def _split(cell: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in cell.split(","))


THINGS = tuple(
    Thing(glyph, family, place == "sky", _split(en), _split(ja))
    for glyph, family, place, en, ja in _rows("objects.tsv"))
PLACES = {key: Names(_split(en), _split(ja))
          for key, en, ja in _rows("places.tsv")}

# What lies over a place. The sky itself has names of its own at these times.
TIMES = ("day", "sunset", "night", "cosmic")
SKY_NAMES = {
    "sunset": Names(("sunset sky", "sunset", "evening sky"),
                    ("夕焼け", "夕焼け空", "夕暮れの空")),
    "night": Names(("night sky", "starry night", "starry sky"),
                   ("夜空", "星空")),
    "cosmic": Names(("space", "outer space", "cosmic sky", "galaxy", "cosmos",
                     "nebula"), ("宇宙", "銀河", "宇宙空間", "星雲")),
}
TIME_PATTERNS = {
    "sunset": Names(("{} at sunset", "sunset {}", "{} at dusk",
                     "{} in the evening"),
                    ("夕暮れの{}", "夕日の{}", "夕焼けの{}", "夕方の{}")),
    "night": Names(("{} at night", "night {}", "{} under the stars"),
                   ("夜の{}", "星空の{}", "真夜中の{}")),
    "cosmic": Names(("cosmic {}", "{} under a cosmic sky", "{} in space",
                     "galaxy {}"),
                    ("宇宙の{}", "幻想的な{}", "銀河の{}")),
}

COLORS = {
    "red": ((214, 48, 44), Names(("red",), ("赤い", "赤の"))),
    "orange": ((243, 146, 40), Names(("orange",), ("オレンジ色の",))),
    "yellow": ((250, 214, 60), Names(("yellow",), ("黄色い", "黄色の"))),
    "green": ((70, 170, 80), Names(("green",), ("緑の", "緑色の"))),
    "blue": ((52, 110, 214), Names(("blue",), ("青い", "青の"))),
    "purple": ((134, 72, 190), Names(("purple",), ("紫の", "紫色の"))),
    "pink": ((248, 160, 196), Names(("pink",), ("ピンクの", "ピンク色の"))),
    "white": ((246, 246, 246), Names(("white",), ("白い", "白の"))),
    "black": ((22, 22, 26), Names(("black",), ("黒い", "黒の"))),
    "gray": ((136, 138, 142), Names(("gray", "grey"), ("灰色の",))),
    "light blue": ((150, 208, 246), Names(("light blue",), ("水色の",))),
    "brown": ((128, 84, 52), Names(("brown",), ("茶色の", "茶色い"))),
}

STYLES = {
    "pixel": Names(("pixel art", "8-bit pixel art"), ("ドット絵", "ピクセルアート")),
    "watercolor": Names(("watercolor", "watercolor painting", "watercolour"),
                        ("水彩画", "水彩")),
    "mono": Names(("black and white", "monochrome"), ("白黒", "モノクロ")),
    "sepia": Names(("sepia", "old sepia photo"), ("セピア", "セピア色")),
    "line": Names(("line art", "sketch", "pencil sketch"),
                  ("線画", "スケッチ")),
}

SIZES = {
    "small": Names(("small", "tiny", "little"), ("小さな", "小さい")),
    "big": Names(("big", "large", "giant", "huge"), ("大きな", "巨大な")),
}
POSITIONS = {
    "left": Names(("on the left", "on the left side"), ("左", "左側")),
    "right": Names(("on the right", "on the right side"), ("右", "右側")),
    "top": Names(("at the top", "above"), ("上", "上の方")),
    "bottom": Names(("at the bottom", "below"), ("下", "下の方")),
}
