"""How well the autoencoder returns what it is given."""

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from scenes import Scenes


def renders(count: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """Held-out pictures uint8 [N, 128, 128, 3] and their captions."""
    scenes, rng = Scenes(), np.random.default_rng(seed)
    drawn = [scenes.render(rng) for _ in range(count)]
    return np.stack([d[0] for d in drawn]), [d[1].text for d in drawn]


@torch.no_grad()
def round_trip(vae: AutoencoderKL, images: np.ndarray,
               tiny: AutoencoderTiny | None = None) -> np.ndarray:
    """Encodes and decodes; `tiny` decodes instead of `vae` where given."""
    done = []
    for start in range(0, len(images), 16):
        x = torch.from_numpy(images[start:start + 16]).permute(0, 3, 1, 2)
        x = x.to(vae.device).float() / 127.5 - 1
        latent = vae.encode(x).latent_dist.mean
        if tiny is None:
            y = vae.decode(latent).sample
        else:
            y = tiny.decode(latent * vae.config.scaling_factor).sample
        done.append(y.permute(0, 2, 3, 1).float().cpu().numpy())
    y = np.clip(np.concatenate(done) * 127.5 + 127.5, 0, 255)
    return y.round().astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each picture, in dB."""
    error = np.square(a.astype(np.float32) - b).mean((1, 2, 3))
    return 10 * np.log10(255.0**2 / np.maximum(error, 1e-6))
