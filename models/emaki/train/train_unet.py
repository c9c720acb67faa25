"""Trains the denoiser on cached latents of fresh renders.

Predicts v at stratified noise levels; a tenth of the scenes have no caption. The
autoencoder and the text encoder stay frozen. Resumes from --run/unet.pt: the same
command goes on. The moving average, or what a cooldown ends with, is written to
--run/unet in diffusers' layout. A cooldown leaves its start in --run/unet-warm.pt;
copy that over unet.pt to train on.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

import checkpoint
import fast_norm
import widen
from architectures import alphas_cumprod, unet
from fast_attention import PlainAttention
from latent_cache import LatentCache
from progress import Progress
from replicas import OptimizerConfig, Replicas, export, run_workers

_SNR_CAP = 8.0  # beyond it a sample weighs less: little is left to learn there
_THING_WEIGHT = 2.0  # what a latent cell inside a thing weighs beyond one


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--run", type=Path, required=True,
        help="folder with vae/ and text_encoder/, and for checkpoints")
    add("--init", type=Path, help="U-Net to start from, may be narrower")
    add("--steps", type=int, default=100000, help="stop after this many in all")
    add("--cooldown", type=int, default=0,
        help="lower the rate to zero over the last steps")
    add("--batch", type=int, default=24, help="captions per process and step")
    add("--noises", type=int, default=2, help="noise levels per caption")
    add("--lr", type=float, default=6e-4, help="of AdamW")
    add("--muon-lr", type=float, default=2e-3, help="of Muon; 0 for AdamW only")
    add("--ema", type=float, default=0.999)
    add("--cache", type=int, default=20000, help="scenes kept per process")
    add("--first", type=int, default=1500, help="scenes before the first step")
    add("--fresh", type=int, default=6, help="new scenes per process and step")
    add("--workers", type=int, default=2, help="processes (1 on CUDA)")
    add("--device", default="cpu")
    add("--save-every", type=int, default=200, help="steps")
    add("--pid-file", help="append the process ids here")
    add("--seed", type=int, default=11)
    return parser.parse_args()


def noise_levels(count: int) -> torch.Tensor:
    """Timesteps spread evenly over 0..999, in random order."""
    u = (torch.randperm(count) + torch.rand(count)) / count
    return (u * 1000).long().clamp(0, 999)


def loss_of(model: UNet2DConditionModel, batch: tuple[torch.Tensor, ...],
            alphas: torch.Tensor, noises: int
            ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The weighted loss, each sample's plain error, and its timestep."""
    clean, states, masks = (t.repeat_interleave(noises, 0) for t in batch)
    t = noise_levels(len(clean)).to(clean.device)
    a = alphas[t].view(-1, 1, 1, 1)
    noise = torch.randn_like(clean)
    noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
    target = a.sqrt() * noise - (1 - a).sqrt() * clean
    fed = noisy.bfloat16().contiguous(memory_format=torch.channels_last)
    guess = model(fed, t, states, return_dict=False)[0].float()
    square = (guess - target).square().mean(1)  # [B, 16, 16]
    where = 1 + _THING_WEIGHT * masks
    snr = alphas[t] / (1 - alphas[t])
    level = snr.clamp(max=_SNR_CAP).add(1) / (snr + 1)
    weighted = (square * where).sum((1, 2)) / where.sum((1, 2)) * level
    return weighted.mean(), square.mean((1, 2)).detach(), t


def rate(step: int, args: argparse.Namespace) -> float:
    """Warm-up, constant, then a straight line to zero."""
    left = (args.steps - step) / args.cooldown if args.cooldown else 1.0
    return max(0.01, min(1.0, (step + 1) / 40, left))


def build(args: argparse.Namespace) -> tuple:
    model = unet()
    if args.init:
        widen.unet_from(UNet2DConditionModel.from_pretrained(
            args.init, torch_dtype=torch.float32), model)
    model.set_attn_processor(PlainAttention())
    model.to(args.device, memory_format=torch.channels_last).train()
    vae = AutoencoderKL.from_pretrained(args.run / "vae")
    text = CLIPTextModel.from_pretrained(args.run / "text_encoder",
                                         attn_implementation="eager")
    for frozen in (vae, text):
        frozen.to(args.device, torch.bfloat16).eval().requires_grad_(False)
    vae.to(memory_format=torch.channels_last)
    return model, vae, text


def is_matrix(name: str, parameter: torch.nn.Parameter) -> bool:
    """Muon's share: hidden layers, not what reads or writes the latents."""
    return not name.startswith(("conv_in", "conv_out", "time_embedding"))


def main() -> None:
    args = parse_arguments()
    device = torch.device(args.device)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    model, vae, text = build(args)
    config = OptimizerConfig(adam_lr=args.lr, muon_lr=args.muon_lr,
                             ema_decay=args.ema)
    replicas = Replicas(model, config, args.workers, device, torch.bfloat16,
                        is_matrix)
    path = args.run / "unet.pt"
    if state := checkpoint.load(path):
        replicas.load_state(state)
    start, alphas = replicas.steps, alphas_cumprod().to(device)

    def save(step: int) -> None:
        checkpoint.save(replicas.state(), path)
        if step == args.steps - args.cooldown and args.cooldown:
            # Later runs go on from here: a cooled run has stopped exploring.
            checkpoint.save(replicas.state(), args.run / "unet-warm.pt")
        cooled = args.cooldown and step == args.steps
        result = unet()
        export(replicas.master if cooled else replicas.ema, result)
        result.save_pretrained(args.run / "unet")

    def worker(rank: int) -> None:
        torch.set_num_threads(1)
        fast_norm.install()
        rng = np.random.default_rng([args.seed, rank, start])
        torch.manual_seed(int(rng.integers(2**31)))
        cache = LatentCache(args.cache, vae, text, device, rng)
        kept = args.run / f"cache{rank}.pt"
        cache.load(kept)
        while cache.size < args.first:
            cache.add(min(50, args.first - cache.size))
        progress = Progress(args.run / "unet.log")
        for step in range(start, args.steps):
            cache.add(args.fresh)
            batch = cache.draw(args.batch)
            loss, errors, t = loss_of(model, batch, alphas, args.noises)
            loss.backward()
            norm = replicas.step(rank, rate(step, args))
            progress.add(loss=loss.item(), plain=errors.mean().item(),
                         noisy=errors[t > 666].mean().item(),
                         middle=errors[(t > 333) & (t <= 666)].mean().item(),
                         clear=errors[t <= 333].mean().item(), norm=norm)
            done, last = step + 1, step + 1 == args.steps
            if rank == 0 and done % 25 == 0:
                progress.line(step=done, scenes=cache.added * args.workers,
                              samples=done * args.batch * args.noises
                              * args.workers)
            if done % (5 * args.save_every) == 0 or last:
                cache.save(kept)
            turn = args.cooldown and done == args.steps - args.cooldown
            if rank == 0 and (done % args.save_every == 0 or turn or last):
                save(done)
            replicas.wait()

    run_workers(worker, args.workers, args.pid_file)


if __name__ == "__main__":
    main()
