"""Makes the cheap ways to look at a latent, for previews while drawing.

Fits the linear factors from a latent cell to its mean colour, exactly, and trains
a tiny decoder (diffusers' AutoencoderTiny). Both take the scaled latent that the
denoiser works in and give colours in [-1, 1]. Resumes from --run/tiny.pt; writes
--run/tiny_vae and --run/vae/latent_rgb_factors.json.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, AutoencoderTiny

import checkpoint
import pids
import schedule
from architectures import CELL_PIXELS, LATENT_CHANNELS
from progress import Progress
from scenes import Scenes

_CROP = 8  # latent cells


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--run", type=Path, required=True, help="folder with vae/")
    add("--steps", type=int, default=1500)
    add("--batch", type=int, default=16, help="crops")
    add("--lr", type=float, default=2e-3)
    add("--renders", type=int, default=600, help="scenes to learn from")
    add("--device", default="cpu")
    add("--threads", type=int, default=1)
    add("--save-every", type=int, default=250, help="steps")
    add("--pid-file", help="append the process id here")
    add("--seed", type=int, default=17)
    return parser.parse_args()


def tiny_autoencoder() -> AutoencoderTiny:
    """Two small convolution blocks a scale; the encoder is only for form."""
    return AutoencoderTiny(
        latent_channels=LATENT_CHANNELS,
        encoder_block_out_channels=(16, 16, 16, 16),
        decoder_block_out_channels=(32, 32, 32, 32),
        num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(2, 2, 1, 1),
        scaling_factor=1.0)


@torch.no_grad()
def pairs(vae: AutoencoderKL, count: int, seed: int
          ) -> tuple[torch.Tensor, torch.Tensor]:
    """Scaled latents [N, C, 16, 16] and pictures [N, 3, 128, 128]."""
    scenes, rng = Scenes(), np.random.default_rng(seed)
    latents, pictures = [], []
    for _ in range(-(-count // 20)):
        images = np.stack([scenes.render(rng)[0] for _ in range(20)])
        x = torch.from_numpy(images).to(vae.device).permute(0, 3, 1, 2)
        x = x.float() / 127.5 - 1
        z = vae.encode(x.to(vae.dtype)).latent_dist.mean.float()
        latents.append(z * vae.config.scaling_factor)
        pictures.append(x)
    return torch.cat(latents), torch.cat(pictures)


def rgb_factors(latents: torch.Tensor, pictures: torch.Tensor) -> dict:
    """Least squares from a cell's channels to its mean colour."""
    colors = F.avg_pool2d(pictures, CELL_PIXELS)
    x = latents.permute(0, 2, 3, 1).reshape(-1, LATENT_CHANNELS)
    y = colors.permute(0, 2, 3, 1).reshape(-1, 3)
    ones = torch.ones(len(x), 1, device=x.device)
    fit = torch.linalg.lstsq(torch.cat([x, ones], 1), y).solution
    left = (torch.cat([x, ones], 1) @ fit - y).square().mean()
    print(f"linear factors: {-10 * torch.log10(left / 4):.1f} dB of cell means")
    return dict(latent_rgb_factors=fit[:-1].tolist(),
                latent_rgb_factors_bias=fit[-1].tolist())


def main() -> None:
    args = parse_arguments()
    pids.note(args.pid_file, [os.getpid()])
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    vae = AutoencoderKL.from_pretrained(args.run / "vae").to(device).bfloat16()
    latents, pictures = pairs(vae, args.renders, args.seed)
    (args.run / "vae" / "latent_rgb_factors.json").write_text(
        json.dumps(rgb_factors(latents, pictures), indent=1) + "\n")

    tiny = tiny_autoencoder().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(tiny.decoder.parameters(), lr=args.lr,
                                  betas=(0.9, 0.98))
    path = args.run / "tiny.pt"
    parts = dict(model=tiny, optimizer=optimizer)
    start = checkpoint.load_parts(path, **parts)
    rng = np.random.default_rng([args.seed, start])
    progress = Progress(args.run / "tiny.log")
    room = latents.shape[-1] - _CROP
    for step in range(start, args.steps):
        zs, xs = [], []
        for i in rng.integers(0, len(latents), args.batch):
            top, left = rng.integers(0, room + 1, 2)
            zs.append(latents[i, :, top:top + _CROP, left:left + _CROP])
            top, left, side = (CELL_PIXELS * v for v in (top, left, _CROP))
            xs.append(pictures[i, :, top:top + side, left:left + side])
        z, x = torch.stack(zs), torch.stack(xs)
        # previews look at unfinished latents too
        z = z + 0.1 * torch.randn_like(z)
        left_over = schedule.rate(step, args.steps)
        optimizer.param_groups[0]["lr"] = args.lr * left_over
        with torch.autocast(device.type, torch.bfloat16):
            y = tiny.decode(z.contiguous(memory_format=torch.channels_last))
        error = y.sample.float() - x
        loss = error.abs().mean() + 4 * error.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress.add(loss=loss.item(), square=error.square().mean().item())
        done = step + 1
        if done % 50 == 0:
            progress.line(step=done)
        if done % args.save_every == 0 or done == args.steps:
            checkpoint.save_parts(path, done, **parts)
            tiny.save_pretrained(args.run / "tiny_vae")


if __name__ == "__main__":
    main()
