#!/usr/bin/env python3
"""Makes a small AutoencoderTiny with random weights and what it decodes to.

    tests/data/make_tiny_vae.py tests/data/tiny_vae

Needs diffusers (0.42.1 made the committed files). golden.safetensors holds
latents [2, 4, 5, 3], far ones among them, and the pixels that they give.
"""

import pathlib
import sys

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(0)
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8,),
        num_encoder_blocks=(1,),
        decoder_block_out_channels=(8, 8, 8, 8),
        num_decoder_blocks=(2, 1, 0, 1),
    ).eval()
    vae.save_pretrained(folder)
    latents = torch.randn(2, 4, 5, 3) * 3
    with torch.no_grad():
        pixels = vae.decode(latents).sample
    save_file({"latents": latents, "pixels": pixels}, folder / "golden.safetensors")


main()
