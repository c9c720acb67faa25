"""A growing store of encoded scenes, so that each render trains many times."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from transformers import CLIPTextModel

from architectures import (CELL_PIXELS, IMAGE_PIXELS, LATENT_CELLS,
                           LATENT_CHANNELS, MAX_TOKENS)
from perturb import untidy
from scenes import Scenes, nameless
from tokens import Tokens


_EMPTY_SHARE = 0.1  # scenes with an empty caption, for guidance


class LatentCache:
    """Latents in unit scale, their text states and where their things are.

    Lives in one process; oldest entries make room for new ones. `develop`
    changes every picture before it is encoded. What `hint` makes of a picture,
    uint8 [128, 128], is kept beside it in `hints`.
    """

    _TENSORS = ("latents", "states", "masks")

    def __init__(self, capacity: int, vae: AutoencoderKL, text: CLIPTextModel,
                 device: torch.device, rng: np.random.Generator,
                 develop: Callable[[np.ndarray], np.ndarray] | None = None,
                 hint: Callable[[np.ndarray], np.ndarray] | None = None
                 ) -> None:
        self._vae, self._text, self._device = vae, text, device
        self._develop, self._hint = develop, hint
        self._rng, self._scenes, self._tokens = rng, Scenes(), Tokens()
        width = text.config.hidden_size
        self.latents = torch.zeros(
            capacity, LATENT_CHANNELS, LATENT_CELLS, LATENT_CELLS,
            dtype=torch.float16, device=device)
        self.states = torch.zeros(capacity, MAX_TOKENS, width,
                                  dtype=torch.bfloat16, device=device)
        self.masks = torch.zeros(capacity, LATENT_CELLS, LATENT_CELLS,
                                 dtype=torch.float16, device=device)
        if hint:
            self._TENSORS += ("hints",)
            self.hints = torch.zeros(capacity, IMAGE_PIXELS, IMAGE_PIXELS,
                                     dtype=torch.uint8)
        self.size = self.added = 0

    @torch.no_grad()
    def encode_text(self, texts: list[str]) -> torch.Tensor:
        ids = self._tokens(texts).to(self._device)
        return self._text(ids).last_hidden_state.to(torch.bfloat16)

    @torch.no_grad()
    def add(self, count: int) -> None:
        """Renders and encodes `count` scenes."""
        empty = self._rng.random(count) < _EMPTY_SHARE
        drawn = [self._scenes.render(
            self._rng, nameless(self._rng) if e else None) for e in empty]
        develop = self._develop or (lambda picture: picture)
        pictures = torch.from_numpy(np.stack([develop(d[0]) for d in drawn]))
        x = pictures.to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = x.to(self._vae.dtype).contiguous(memory_format=torch.channels_last)
        latents = self._vae.encode(x).latent_dist.mean.float()
        masks = torch.from_numpy(np.stack([d[3] for d in drawn]))
        masks = F.avg_pool2d(masks[:, None], CELL_PIXELS)[:, 0]
        texts = ["" if e else untidy(d[1].text, self._rng)
                 for d, e in zip(drawn, empty)]
        capacity = len(self.latents)
        rows = (torch.arange(count) + self.added) % capacity
        scale = self._vae.config.scaling_factor
        self.latents[rows] = (latents * scale).to(torch.float16)
        self.states[rows] = self.encode_text(texts)
        self.masks[rows] = masks.to(self._device, torch.float16)
        if self._hint:
            hints = np.stack([self._hint(p) for p in pictures.numpy()])
            self.hints[rows] = torch.from_numpy(hints)
        self.added += count
        self.size = min(self.added, capacity)

    def draw(self, count: int) -> tuple[torch.Tensor, ...]:
        """Latents [B, C, 16, 16] fp32, states [B, 77, D], masks [B, 16, 16].

        And the hints [B, 128, 128] uint8, where there are any.
        """
        rows = torch.from_numpy(self._rng.integers(0, self.size, count))
        drawn = (self.latents[rows].float(), self.states[rows],
                 self.masks[rows].float())
        return (*drawn, self.hints[rows]) if self._hint else drawn

    def save(self, path: Path) -> None:
        """Keeps the store, so that a resumed run need not fill it again."""
        partial = path.with_suffix(".partial")
        # Cloned, or the whole store behind each view would be written.
        torch.save({name: getattr(self, name)[:self.size].clone()
                    for name in self._TENSORS}, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        if not path.exists():
            return
        kept = torch.load(path, map_location=self._device, weights_only=True)
        self.size = min(len(kept["latents"]), len(self.latents))
        for name in self._TENSORS:
            getattr(self, name)[:self.size] = kept[name][:self.size]
        self.added = self.size
