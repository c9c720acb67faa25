#!/usr/bin/env python3
"""Makes tests/data/t2i_adapter: small U-Nets and T2I-Adapters of each kind, with random
weights, and what diffusers computes with them. Needs torch and diffusers (made with 0.42.1):

    python tests/data/make_t2i_adapter.py
"""

import json
import shutil
from pathlib import Path

import torch
from diffusers import T2IAdapter, UNet2DConditionModel
from safetensors.torch import save_file

FOLDER = Path(__file__).parent / "t2i_adapter"
KINDS = {
    # The way down of SD1: attention but in the last level.
    "full_adapter": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "light_adapter": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    # That of SDXL: attention but in the first.
    "full_adapter_xl": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
}


def shake(model):
    with torch.no_grad():
        for parameter in model.parameters():
            # What half precision keeps, in which the weights are stored.
            parameter.copy_((torch.randn_like(parameter) * 0.2).half())
        for name, parameter in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                parameter.copy_((parameter + 1).half())
    return model.eval()


def make(kind, down):
    torch.manual_seed(3)
    up = [name.replace("Down", "Up") for name in reversed(down)]
    unet = shake(
        UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(4, 8, 8),
            layers_per_block=1,
            down_block_types=down,
            up_block_types=up,
            cross_attention_dim=8,
            attention_head_dim=4,
            norm_num_groups=2,
        )
    )
    is_xl = kind == "full_adapter_xl"
    is_light = kind == "light_adapter"
    # A light one repeats the last, one for XL has one for the middle.
    channels = [4, 8] if is_light else [4, 8, 8, 8] if is_xl else [4, 8, 8]
    adapter = shake(
        T2IAdapter(
            in_channels=1 if is_light else 3,
            channels=channels,
            num_res_blocks=2,
            downscale_factor=16 if is_xl else 8,
            adapter_type=kind,
        )
    )
    hint = torch.rand(1, 3, 64, 96).half().float()
    seen = hint
    if is_light:  # as PIL makes pictures grey
        seen = (hint * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, True)
    sample = torch.randn(2, 4, 8, 12)
    text = torch.randn(2, 5, 8)
    with torch.no_grad():
        features = adapter(seen)
        weighted = [0.7 * torch.cat([feature] * 2) for feature in features]
        out = unet(sample, 37, text, down_intrablock_additional_residuals=weighted).sample
    folder = FOLDER / kind
    shutil.rmtree(folder, ignore_errors=True)
    unet.half().save_pretrained(folder / "unet")
    adapter.half().save_pretrained(folder / "adapter")
    config = folder / "adapter" / "config.json"
    described = json.loads(config.read_text())
    described["unet"] = json.loads((folder / "unet" / "config.json").read_text())
    config.write_text(json.dumps(described, indent=2) + "\n")
    save_file({"hint": hint.half(), "sample": sample, "text": text, "out": out}, folder / "golden.safetensors")


if __name__ == "__main__":
    for kind, down in KINDS.items():
        make(kind, down)
