"""Pictures of things: glyphs of Noto Color Emoji (SIL OFL 1.1)."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .vocabulary import PIRATE_SHIP, THINGS

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
_STRIKE = 109  # the one size of the font's bitmaps


@cache
def _glyph(text: str) -> Image.Image:
    font = ImageFont.truetype(FONT, _STRIKE)
    image = Image.new("RGBA", (136, 132), (0, 0, 0, 0))
    # Old symbols need the variation selector to be drawn in colour.
    emoji = text + ("\ufe0f" if ord(text) < 0x3000 else "")
    ImageDraw.Draw(image).text((0, 0), emoji, font=font, embedded_color=True)
    box = image.getbbox()
    assert box, f"the font draws nothing for {text}"
    return image.crop(box)


@cache
def _pirate_ship() -> Image.Image:
    """The sailing boat with black sails, a wooden hull and a skull."""
    boat = _glyph("⛵")
    pixels = np.array(boat, np.float32)
    red, blue = pixels[..., 0], pixels[..., 2]
    gray = pixels[..., :3].mean(-1, keepdims=True)
    sail = (red > blue + 40)[..., None]
    wood = pixels[..., :3] * np.array((0.62, 0.45, 0.30), np.float32)
    pixels[..., :3] = np.where(sail, gray * 0.28, wood)
    ship = Image.fromarray(pixels.astype(np.uint8))
    skull = _glyph("☠").resize((44, 46), Image.LANCZOS)
    ship.alpha_composite(skull, (20, 46))
    return ship


@cache
def sprite(thing: int, size: int) -> np.ndarray:
    """Float RGBA [size, size, 4]; alpha in 0..1, colour in 0..255.

    The picture touches the bottom of its square, in the middle, so that a thing
    of one size is always the same pixels at the same place in its square.
    """
    glyph = THINGS[thing].glyph
    image = _pirate_ship() if glyph == PIRATE_SHIP else _glyph(glyph)
    scale = size / max(image.size)
    width, height = (max(2, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.LANCZOS)
    square = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    square.paste(image, ((size - width) // 2, size - height))
    pixels = np.array(square, np.float32)
    pixels[..., 3] /= 255
    return pixels
