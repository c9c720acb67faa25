"""Trains the autoencoder on crops of fresh renders.

Resumes from --run/vae.pt when it is there: the same command goes on. The result
is written to --run/vae in diffusers' layout every checkpoint. Once a denoiser
trains on its latents, only the decoder may learn on: --decoder-only starts from
--run/vae and keeps its own checkpoint in --run/decoder.pt.
"""

import argparse
import copy
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

import checkpoint
import fast_norm
import widen
from architectures import CELL_PIXELS, autoencoder
from progress import Progress
from replicas import OptimizerConfig, Replicas, export, run_workers
from scenes import Scenes

CROP = 64  # pixels; cheaper than whole pictures, and more varied


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--run", type=Path, required=True, help="folder of checkpoints")
    add("--init", type=Path, help="autoencoder to start from, may be narrower")
    add("--steps", type=int, default=3000, help="stop after this many in all")
    add("--cooldown", type=int, default=500,
        help="lower the rate to zero over the last steps")
    add("--batch", type=int, default=8, help="crops per process and step")
    add("--lr", type=float, default=4e-4, help="of AdamW")
    add("--muon-lr", type=float, default=1e-3, help="of Muon; 0 for AdamW only")
    add("--decoder-only", action="store_true", help="keep the latents as is")
    add("--workers", type=int, default=2, help="processes (1 on CUDA)")
    add("--device", default="cpu")
    add("--save-every", type=int, default=250, help="steps")
    add("--pid-file", help="append the process ids here")
    add("--seed", type=int, default=7)
    return parser.parse_args()


def crops(scenes: Scenes, rng: np.random.Generator, count: int) -> torch.Tensor:
    """[count, 3, CROP, CROP] in [-1, 1], two from each render.

    Things lie on the grid of latent cells, and so do the crops."""
    picked = []
    while len(picked) < count:
        image = scenes.render(rng)[0]
        last = (image.shape[0] - CROP) // CELL_PIXELS
        for y, x in CELL_PIXELS * rng.integers(0, last + 1, (2, 2)):
            picked.append(image[y:y + CROP, x:x + CROP])
    batch = torch.from_numpy(np.stack(picked[:count]))
    return batch.permute(0, 3, 1, 2).float() / 127.5 - 1


def loss_of(vae: AutoencoderKL, x: torch.Tensor, dtype: torch.dtype
            ) -> tuple[torch.Tensor, float, float]:
    """The loss to descend, the squared error, and the KL term per element."""
    fed = x.to(dtype).contiguous(memory_format=torch.channels_last)
    posterior = vae.encode(fed).latent_dist
    y = vae.decode(posterior.sample()).sample.float()
    error = y - x
    square = error.square().mean()
    edges = (error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean())
    coarse = F.avg_pool2d(error, 4).abs().mean()
    kl = (posterior.kl() / posterior.mean[0].numel()).mean().float()
    loss = (4 * square + 0.5 * error.abs().mean() + 0.25 * edges
            + 0.25 * coarse + 1e-4 * kl)
    return loss, square.item(), kl.item()


def rate(step: int, args: argparse.Namespace) -> float:
    """Warm-up, constant, then a straight line to zero."""
    left = (args.steps - step) / max(args.cooldown, 1)
    return max(0.02, min(1.0, (step + 1) / 60, left))


def main() -> None:
    args = parse_arguments()
    device = torch.device(args.device)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    vae = autoencoder()
    init = args.run / "vae" if args.decoder_only else args.init
    if init:
        old = AutoencoderKL.from_pretrained(init, torch_dtype=torch.float32)
        widen.autoencoder_from(old, vae)
    vae.to(device, memory_format=torch.channels_last)
    if args.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    finished = copy.deepcopy(vae)  # keeps what is frozen in full precision
    config = OptimizerConfig(adam_lr=args.lr, muon_lr=args.muon_lr,
                             weight_decay=1e-3, ema_decay=0.998)
    replicas = Replicas(vae, config, args.workers, device, torch.bfloat16,
                        is_matrix=lambda name, p: "conv_out" not in name)
    vae.to(torch.bfloat16)  # what is frozen; the rest already is
    path = args.run / ("decoder.pt" if args.decoder_only else "vae.pt")
    if state := checkpoint.load(path):
        replicas.load_state(state)
    start = replicas.steps

    def worker(rank: int) -> None:
        torch.set_num_threads(1)
        fast_norm.install()
        seeds = [args.seed, rank, start]
        rng = np.random.default_rng(seeds)
        torch.manual_seed(int(rng.integers(2**31)))
        scenes, progress = Scenes(), Progress(path.with_suffix(".log"))
        for step in range(start, args.steps):
            x = crops(scenes, rng, args.batch).to(device)
            loss, square, kl = loss_of(vae, x, torch.bfloat16)
            loss.backward()
            norm = replicas.step(rank, rate(step, args))
            progress.add(loss=loss.item(), square=square, kl=kl, norm=norm,
                         psnr=10 * math.log10(4 / square))
            if rank == 0 and (step + 1) % 25 == 0:
                progress.line(step=step + 1, crops=(step + 1) * args.batch
                              * args.workers)
            last = step + 1 == args.steps
            if rank == 0 and ((step + 1) % args.save_every == 0 or last):
                checkpoint.save(replicas.state(), path)
                export(replicas.ema, finished)
                finished.save_pretrained(args.run / "vae")
            replicas.wait()

    run_workers(worker, args.workers, args.pid_file)


if __name__ == "__main__":
    main()
