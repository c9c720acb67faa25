#!/usr/bin/env python3
"""Makes a small U-Net of the latent upscaler with random weights, and what diffusers draws with
it and the text encoder and the autoencoder of the tests' tiny model:

    tests/data/make_latent_upscaler.py tests/data/latent_upscaler

Needs torch, transformers and diffusers (0.42.1 made the committed files). golden.safetensors has
one call of the U-Net (`net.in.*`, `net.out`) and two pictures of seed 7 by 4 steps of Euler:
`guided.latents` at scale 3, `plain.latents` at scale 0, enlarged from `image`, [1, 3, 64, 64] in
[-1, 1].
"""

import pathlib
import sys

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionLatentUpscalePipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    tiny = pathlib.Path(__file__).parent / "reference/models/sd1"
    torch.manual_seed(0)
    torch.set_num_threads(1)
    unet = UNet2DConditionModel(
        act_fn="gelu",
        attention_head_dim=8,
        block_out_channels=(32, 32, 64, 64),
        conv_in_kernel=1,
        conv_out_kernel=1,
        cross_attention_dim=8,
        down_block_types=("KDownBlock2D",) + ("KCrossAttnDownBlock2D",) * 3,
        in_channels=8,
        layers_per_block=(1, 1, 2, 2),
        mid_block_type=None,
        norm_num_groups=None,
        only_cross_attention=(False, True, True, True),
        out_channels=5,
        resnet_time_scale_shift="scale_shift",
        sample_size=16,
        time_cond_proj_dim=128 + 8,
        time_embedding_type="fourier",
        timestep_post_act="gelu",
        up_block_types=("KCrossAttnUpBlock2D",) * 3 + ("KUpBlock2D",),
    ).eval()
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(1.5)
            elif name.endswith("bias"):
                parameter.copy_(torch.randn_like(parameter) * 0.1)
            parameter.copy_(parameter.half())
    unet.half().save_pretrained(folder / "unet")
    unet.float()
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="sample"
    )
    scheduler.save_pretrained(folder / "scheduler")
    pipeline = StableDiffusionLatentUpscalePipeline(
        vae=AutoencoderKL.from_pretrained(tiny / "vae", torch_dtype=torch.float32),
        text_encoder=CLIPTextModel.from_pretrained(tiny / "text_encoder", torch_dtype=torch.float32),
        tokenizer=CLIPTokenizer.from_pretrained(tiny / "tokenizer"),
        unet=unet,
        scheduler=scheduler,
    )
    pipeline.set_progress_bar_config(disable=True)
    golden = {}

    def first_call(module, args, kwargs, output):
        if "net.out" in golden:
            return
        golden["net.in.sample"], golden["net.in.timestep"] = args
        for name in ("encoder_hidden_states", "timestep_cond"):
            golden[f"net.in.{name}"] = kwargs[name]
        golden["net.out"] = output.sample

    image = torch.rand(1, 3, 64, 64) * 2 - 1
    hook = unet.register_forward_hook(first_call, with_kwargs=True)
    for name, scale in (("guided", 3.0), ("plain", 0.0)):
        golden[f"{name}.latents"] = pipeline(
            "a photograph of a fox",
            image=image,
            negative_prompt="blurry",
            guidance_scale=scale,
            num_inference_steps=4,
            generator=torch.Generator().manual_seed(7),
            output_type="latent",
        ).images
    hook.remove()
    golden["image"] = image
    golden["sigmas"] = pipeline.scheduler.sigmas
    golden["timesteps"] = pipeline.scheduler.timesteps
    save_file(
        {name: tensor.detach().contiguous() for name, tensor in golden.items()},
        folder / "golden.safetensors",
    )


main()
