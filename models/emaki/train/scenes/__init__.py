"""Captioned scenes: emoji on procedural backgrounds, drawn while training."""

import numpy as np

from .caption import Caption, Captioner
from .draw import draw
from .scene import Scene, nameless, sample

__all__ = ["Caption", "Captioner", "Scene", "Scenes", "draw", "nameless",
           "sample"]


class Scenes:
    """An endless supply; everything follows from the generators given."""

    def render(self, rng: np.random.Generator, scene: Scene | None = None
               ) -> tuple[np.ndarray, Caption, Scene, np.ndarray]:
        """(picture uint8 [128, 128, 3], caption, scene, mask of the things)."""
        scene = scene or sample(rng)
        image, mask = draw(scene, rng)
        return image, Captioner(rng).describe(scene), scene, mask
