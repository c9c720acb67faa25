"""Trains a ControlNet (arXiv:2302.05543) that draws along Canny's edges.

The model in the box stays as it is; a copy of its down half learns to steer it.
Written in diffusers' layout, for the server's `controlnets:` folder. Resumes from
OUT.pt: the same command goes on.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel

import checkpoint
import fast_norm
from architectures import alphas_cumprod
from fast_attention import PlainAttention
from latent_cache import LatentCache
from noised import noised
from progress import Progress
from schedule import rate

_CAPTION_DROPPED = 0.3  # so that edges alone must be enough at times
_HINT_CHANNELS = (16, 32, 64, 128)
_LINE_STEPS = 20
_SAVE_STEPS = 100


def edges(picture: np.ndarray) -> np.ndarray:
    """uint8 [H, W] of 0 and 255, with the thresholds that Genzo has."""
    return cv2.Canny(picture, 100, 200)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--model", type=Path,
                        default=Path(__file__).parent.parent)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--scenes", type=int, default=6000,
                        help="kept at once")
    parser.add_argument("--first", type=int, default=1500,
                        help="scenes before the first step")
    parser.add_argument("--fresh", type=int, default=4,
                        help="new scenes per step")
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default="cpu")
    return parser.parse_args()


def loss_of(unet: UNet2DConditionModel, net: ControlNetModel,
            batch: tuple[torch.Tensor, ...], alphas: torch.Tensor,
            nothing: torch.Tensor) -> torch.Tensor:
    """Squared error of v (arXiv:2202.00512) at stratified noise levels."""
    latents, states, _, hints = batch
    noisy, times, target = noised(latents, alphas)
    dropped = torch.rand(len(latents)) < _CAPTION_DROPPED
    states = torch.where(dropped[:, None, None], nothing, states)

    def fed(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.bfloat16().contiguous(memory_format=torch.channels_last)

    noisy = fed(noisy)
    hint = fed((hints[:, None] / 255).expand(-1, 3, -1, -1))
    down, middle = net(noisy, times, states, hint, return_dict=False)
    predicted = unet(noisy, times, states, down_block_additional_residuals=down,
                     mid_block_additional_residual=middle,
                     return_dict=False)[0].float()
    return (predicted - target).square().mean()


def main() -> None:
    args = parse_arguments()
    torch.manual_seed(args.seed)
    fast_norm.install()
    of = {"torch_dtype": torch.bfloat16}
    unet = UNet2DConditionModel.from_pretrained(args.model / "unet", **of)
    vae = AutoencoderKL.from_pretrained(args.model / "vae", **of)
    text = CLIPTextModel.from_pretrained(args.model / "text_encoder", **of,
                                         attn_implementation="eager")
    net = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=_HINT_CHANNELS)
    for part in (unet, net):
        part.set_attn_processor(PlainAttention())
        part.to(args.device, memory_format=torch.channels_last)
    for part in (unet, vae, text):
        part.to(args.device).requires_grad_(False)
    net.to(torch.bfloat16)
    # The master weights are float32; the net computes with their bf16.
    masters = [w.detach().float() for w in net.parameters()]
    optimizer = torch.optim.AdamW(masters, args.rate, weight_decay=0.01)
    kept = args.out.with_suffix(".pt")
    start = 0
    if state := checkpoint.load(kept):
        start = state["step"]
        masters[:] = state["masters"]
        optimizer = torch.optim.AdamW(masters, args.rate, weight_decay=0.01)
        optimizer.load_state_dict(state["optimizer"])

    rng = np.random.default_rng([args.seed, start])
    cache = LatentCache(args.scenes, vae, text, args.device, rng, hint=edges)
    while cache.size < min(args.first, args.scenes):
        cache.add(50)
    alphas = alphas_cumprod().to(args.device)
    nothing = cache.encode_text([""])
    progress = Progress(args.out.with_suffix(".log"))
    for step in range(start, args.steps):
        cache.add(args.fresh)
        with torch.no_grad():
            for weight, master in zip(net.parameters(), masters):
                weight.copy_(master)
        loss = loss_of(unet, net, cache.draw(args.batch), alphas, nothing)
        net.zero_grad()
        loss.backward()
        for weight, master in zip(net.parameters(), masters):
            master.grad = weight.grad.float()
        nn.utils.clip_grad_norm_(masters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * rate(step, args.steps)
        optimizer.step()
        progress.add(loss=loss.item())
        if (step + 1) % _LINE_STEPS == 0:
            progress.line(step=step + 1)
        if (step + 1) % _SAVE_STEPS == 0 or step + 1 == args.steps:
            checkpoint.save({"step": step + 1, "masters": masters,
                             "optimizer": optimizer.state_dict()}, kept)
    with torch.no_grad():
        net.float()
        for weight, master in zip(net.parameters(), masters):
            weight.copy_(master)
    net.half().save_pretrained(args.out)
    print(args.out)


if __name__ == "__main__":
    main()
