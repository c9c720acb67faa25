#!/usr/bin/env python3
"""Writes full-size models with random weights, SD1.5 and SDXL, in the diffusers layout:
`make_models.py sd15|sdxl FOLDER --tokenizer FOLDER`. Needs torch and nothing else. Pictures mean
nothing; shapes, types and times are those of the published models. Activations stay finite."""

import argparse
import json
import math
import shutil
import struct
import zlib
from pathlib import Path

import torch

from plain_unet import SD15, SDXL, Unet

VAE_CHANNELS = [128, 256, 512, 512]


def unet_shapes(shape):
    with torch.device("meta"):
        unet = Unet(shape)
    return {name: tuple(t.shape) for name, t in unet.state_dict().items()}


def _linear(shapes, name, width, out):
    shapes[f"{name}.weight"] = (out, width)
    shapes[f"{name}.bias"] = (out,)


def _norm(shapes, name, width):
    shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)


def _conv(shapes, name, width, out, side=3):
    shapes[f"{name}.weight"] = (out, width, side, side)
    shapes[f"{name}.bias"] = (out,)


def _resnet(shapes, name, width, out):
    _norm(shapes, f"{name}.norm1", width)
    _conv(shapes, f"{name}.conv1", width, out)
    _norm(shapes, f"{name}.norm2", out)
    _conv(shapes, f"{name}.conv2", out, out)
    if width != out:
        _conv(shapes, f"{name}.conv_shortcut", width, out, 1)


def _vae_middle(shapes, name, width):
    _resnet(shapes, f"{name}.resnets.0", width, width)
    _norm(shapes, f"{name}.attentions.0.group_norm", width)
    for part in ["to_q", "to_k", "to_v", "to_out.0"]:
        _linear(shapes, f"{name}.attentions.0.{part}", width, width)
    _resnet(shapes, f"{name}.resnets.1", width, width)


def vae_shapes():
    shapes = {}
    _conv(shapes, "encoder.conv_in", 3, VAE_CHANNELS[0])
    width = VAE_CHANNELS[0]
    for level, out in enumerate(VAE_CHANNELS):
        for layer in range(2):
            _resnet(shapes, f"encoder.down_blocks.{level}.resnets.{layer}", width, out)
            width = out
        if level < 3:
            _conv(shapes, f"encoder.down_blocks.{level}.downsamplers.0.conv", out, out)
    _vae_middle(shapes, "encoder.mid_block", width)
    _norm(shapes, "encoder.conv_norm_out", width)
    _conv(shapes, "encoder.conv_out", width, 8)
    _conv(shapes, "quant_conv", 8, 8, 1)
    _conv(shapes, "post_quant_conv", 4, 4, 1)
    _conv(shapes, "decoder.conv_in", 4, width)
    _vae_middle(shapes, "decoder.mid_block", width)
    for level, out in enumerate(reversed(VAE_CHANNELS)):
        for layer in range(3):
            _resnet(shapes, f"decoder.up_blocks.{level}.resnets.{layer}", width, out)
            width = out
        if level < 3:
            _conv(shapes, f"decoder.up_blocks.{level}.upsamplers.0.conv", out, out)
    _norm(shapes, "decoder.conv_norm_out", width)
    _conv(shapes, "decoder.conv_out", width, 3)
    return shapes


def clip_shapes(words, width, layers, inner, projection=None):
    shapes = {"text_model.embeddings.token_embedding.weight": (words, width),
              "text_model.embeddings.position_embedding.weight": (77, width)}
    for layer in range(layers):
        name = f"text_model.encoder.layers.{layer}"
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"]:
            _linear(shapes, f"{name}.self_attn.{part}", width, width)
        _norm(shapes, f"{name}.layer_norm1", width)
        _linear(shapes, f"{name}.mlp.fc1", width, inner)
        _linear(shapes, f"{name}.mlp.fc2", inner, width)
        _norm(shapes, f"{name}.layer_norm2", width)
    _norm(shapes, "text_model.final_layer_norm", width)
    if projection:
        shapes["text_projection.weight"] = (projection, width)
    return shapes


def draw(name, shape):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    noise = torch.randn(shape, generator=generator)
    if name.endswith("bias"):
        return 0.05 * noise
    if len(shape) == 1:
        return 1 + 0.1 * noise
    if "embedding.weight" in name:
        return 0.5 * noise
    gain = 1.7 if name == "conv_out.weight" else 1.0
    return gain / math.sqrt(math.prod(shape[1:])) * noise


def write_tensors(path, shapes):
    """A safetensors file, float16, tensor by tensor: the models need not fit in memory twice."""
    header, begin = {}, 0
    for name, shape in shapes.items():
        end = begin + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            file.write(draw(name, shape).half().numpy().tobytes())


def write_component(folder, config, shapes, file="diffusion_pytorch_model.safetensors"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    write_tensors(folder / file, shapes)


def write_text_encoder(folder, class_name, words, width, layers, heads, act, projection=None):
    config = {"architectures": [class_name], "model_type": "clip_text_model", "hidden_act": act,
              "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers,
              "num_attention_heads": heads, "max_position_embeddings": 77, "vocab_size": words,
              "layer_norm_eps": 1e-5, "projection_dim": projection or width,
              "bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": 1}
    write_component(folder, config, clip_shapes(words, width, layers, 4 * width, projection),
                    "model.safetensors")


def write_model(kind, folder, tokenizer):
    xl = kind == "sdxl"
    index = {
        "_class_name": "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "scheduler": ["diffusers", "EulerDiscreteScheduler" if xl else "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"]}
    if xl:
        index |= {"force_zeros_for_empty_prompt": True,
                  "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
                  "tokenizer_2": ["transformers", "CLIPTokenizer"]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    scheduler = {
        "_class_name": index["scheduler"][1], "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "steps_offset": 1,
        "timestep_spacing": "leading", "prediction_type": "epsilon"}
    if not xl:
        scheduler |= {"set_alpha_to_one": False, "skip_prk_steps": True}
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler, indent=2))
    words = len(json.loads((tokenizer / "vocab.json").read_text()))
    write_text_encoder(folder / "text_encoder", "CLIPTextModel", words, 768, 12, 12, "quick_gelu")
    shutil.copytree(tokenizer, folder / "tokenizer", dirs_exist_ok=True)
    if xl:
        write_text_encoder(folder / "text_encoder_2", "CLIPTextModelWithProjection", words, 1280,
                           32, 20, "gelu", 1280)
        shutil.copytree(tokenizer, folder / "tokenizer_2", dirs_exist_ok=True)
    vae = {"_class_name": "AutoencoderKL", "block_out_channels": VAE_CHANNELS, "in_channels": 3,
           "out_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32,
           "sample_size": 1024 if xl else 512, "scaling_factor": 0.13025 if xl else 0.18215,
           "down_block_types": ["DownEncoderBlock2D"] * 4,
           "up_block_types": ["UpDecoderBlock2D"] * 4, "act_fn": "silu"}
    write_component(folder / "vae", vae, vae_shapes())
    shape = SDXL if xl else SD15
    write_component(folder / "unet", shape.config, unet_shapes(shape))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["sd15", "sdxl"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True,
                        help="a folder with vocab.json and merges.txt")
    arguments = parser.parse_args()
    write_model(arguments.kind, arguments.folder, arguments.tokenizer)


if __name__ == "__main__":
    main()
