"""Trains a LoRA (arXiv:2106.09685) that paints every scene as one kind of print.

The model in the box stays as it is; what is learnt is written as one file in
diffusers' names, for the server's `loras:` folder.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextModel

from architectures import alphas_cumprod
from latent_cache import LatentCache
from noised import noised
from prints import PRINTS
from progress import Progress
from schedule import rate

_ADAPTED = ("to_q", "to_k", "to_v", "to_out.0")
_EXTRA_SCENES = 64  # rendered anew every so many steps
_RENEW_STEPS = 10
_LINE_STEPS = 20


class LoraLinear(nn.Module):
    """A frozen layer and the low-rank delta beside it, which starts at zero."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        nn.init.normal_(self.down.weight, std=1 / rank)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + self.up(self.down(x))


def adapt(unet: UNet2DConditionModel, rank: int) -> dict[str, LoraLinear]:
    """Puts a delta beside every attention projection, by the layer's name."""
    unet.requires_grad_(False)
    found = [name for name, layer in unet.named_modules()
             if isinstance(layer, nn.Linear) and name.endswith(_ADAPTED)]
    layers = {}
    for name in found:
        parent, _, leaf = name.rpartition(".")
        layers[name] = LoraLinear(unet.get_submodule(name), rank)
        setattr(unet.get_submodule(parent), leaf, layers[name])
    return layers


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("print", choices=PRINTS)
    parser.add_argument("out", type=Path, help="safetensors file to write")
    parser.add_argument("--model", type=Path,
                        default=Path(__file__).parent.parent)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--scenes", type=int, default=768)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default="cpu")
    return parser.parse_args()


def loss_of(unet: UNet2DConditionModel, latents: torch.Tensor,
            states: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    """Squared error of v (arXiv:2202.00512) at stratified noise levels."""
    noisy, times, target = noised(latents, alphas)
    predicted = unet(noisy, times, states).sample
    return (predicted - target).square().mean()


def main() -> None:
    args = parse_arguments()
    torch.manual_seed(args.seed)
    of = {"torch_dtype": torch.float32}
    unet = UNet2DConditionModel.from_pretrained(args.model / "unet", **of)
    vae = AutoencoderKL.from_pretrained(args.model / "vae", **of)
    text = CLIPTextModel.from_pretrained(args.model / "text_encoder", **of)
    layers = adapt(unet, args.rank)
    for part in (unet, vae, text):
        part.to(args.device)
    cache = LatentCache(args.scenes, vae, text, args.device,
                        np.random.default_rng(args.seed),
                        PRINTS[args.print])
    while cache.size < args.scenes:
        cache.add(_EXTRA_SCENES)
    alphas = alphas_cumprod().to(args.device)
    weights = [w for layer in layers.values()
               for w in (*layer.down.parameters(), *layer.up.parameters())]
    optimizer = torch.optim.AdamW(weights, args.rate, weight_decay=0.01)
    progress = Progress(args.out.with_suffix(".log"))
    for step in range(args.steps):
        if step % _RENEW_STEPS == _RENEW_STEPS - 1:
            cache.add(_EXTRA_SCENES // 4)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * rate(step, args.steps)
        latents, states, _ = cache.draw(args.batch)
        loss = loss_of(unet, latents, states.float(), alphas)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        progress.add(loss=loss.item())
        if (step + 1) % _LINE_STEPS == 0:
            progress.line(step=step + 1)
    tensors = {}
    for name, layer in layers.items():
        for part, linear in (("A", layer.down), ("B", layer.up)):
            key = f"unet.{name}.lora_{part}.weight"
            tensors[key] = linear.weight.detach().to(torch.float16).cpu()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, args.out,
              {"format": "pt", "genzo.base": "emaki", "genzo.print": args.print})
    print(args.out, f"{args.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
