"""Contact sheets."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_LABEL = 18
_JAPANESE = "/usr/share/fonts/opentype/ipafont-gothic/ipagp.ttf"


def _font() -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(_JAPANESE, 11)
    except OSError:  # Japanese prompts show as boxes
        return ImageFont.load_default(10)


def sheet(images: np.ndarray, labels: list[str], columns: int, path: Path
          ) -> None:
    """Pictures in rows, each with its label beneath."""
    side, gap = images.shape[1], 4
    rows = -(-len(images) // columns)
    out = Image.new("RGB", (columns * (side + gap), rows * (side + _LABEL)),
                    "white")
    pen, font = ImageDraw.Draw(out), _font()
    for i, (image, label) in enumerate(zip(images, labels)):
        x, y = i % columns * (side + gap), i // columns * (side + _LABEL)
        out.paste(Image.fromarray(image), (x, y))
        pen.text((x + 2, y + side + 2), label[:24], fill="black", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    out.save(path)
