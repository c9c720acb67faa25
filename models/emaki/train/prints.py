"""Photographic prints of the scenes, each a style that a LoRA learns."""

from collections.abc import Callable

import numpy as np

_LUMINANCE = np.array([0.299, 0.587, 0.114])


def _toned(*colours: tuple[int, int, int]) -> Callable[[np.ndarray], np.ndarray]:
    """A print whose tones run through `colours`, from shadow to paper."""
    stops = np.linspace(0, 1, len(colours))

    def develop(picture: np.ndarray) -> np.ndarray:
        grey = picture @ _LUMINANCE / 255
        # Contact prints are steep in the middle.
        grey = np.clip(0.5 + 1.25 * (grey - 0.5), 0, 1)
        channels = [np.interp(grey, stops, tone) for tone in zip(*colours)]
        return np.stack(channels, -1).round().astype(np.uint8)

    return develop


PRINTS = {
    # Ferric salts: Prussian blue on white paper (Herschel 1842).
    "cyanotype": _toned((6, 22, 66), (22, 74, 140), (126, 172, 208),
                        (244, 246, 240)),
    # Sepia toner.
    "sepia": _toned((38, 22, 12), (112, 74, 44), (196, 160, 118),
                    (250, 240, 222)),
}
