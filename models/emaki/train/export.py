"""Gathers what a run trained into a model folder: float16, diffusers' layout."""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import (AutoencoderKL, AutoencoderTiny, DDIMScheduler,
                       UNet2DConditionModel)
from transformers import CLIPModel, CLIPTextModel

from architectures import SCHEDULE_CONFIG
from tokens import TOKENIZER

_LIMIT_BYTES = 60_000_000
_PARTS = {"vae": AutoencoderKL, "unet": UNet2DConditionModel,
          "text_encoder": CLIPTextModel, "tiny_vae": AutoencoderTiny,
          "scorer": CLIPModel}
# Trained in bfloat16, whose eight bits are all that counts of a weight. Without
# the noise below them git keeps a fifth less.
_ROUNDED = ("unet", "text_encoder", "scorer")
_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
_PICTURES = {  # how the scorer wants its pictures
    "image_processor_type": "CLIPImageProcessor", "do_resize": True,
    "size": {"height": 128, "width": 128}, "do_center_crop": False,
    "do_rescale": True, "do_normalize": True, "do_convert_rgb": True,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _tidy(path: Path) -> None:
    """Makes a config speak for its users rather than for this machine.

    diffusers notes the folder that weights came from. transformers computes in the
    dtype noted, and half precision is for the file only: a CPU's U-Net is fp32.
    """
    config = json.loads(path.read_text())
    if "_name_or_path" in config:
        config["_name_or_path"] = "emaki"
    if "dtype" in config:
        config["dtype"] = "float32"
    path.write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, kind in _PARTS.items():
        if not (args.run / name).exists():
            print("the run has no", name)
            continue
        part = kind.from_pretrained(args.run / name)
        if name == "unet":
            part.set_default_attn_processor()
        if name in _ROUNDED:
            part.to(torch.bfloat16)
        part.to(torch.float16).save_pretrained(args.out / name)
        _tidy(args.out / name / "config.json")
    factors = args.run / "vae" / "latent_rgb_factors.json"
    if factors.exists():
        shutil.copy(factors, args.out / "vae")
    DDIMScheduler(**SCHEDULE_CONFIG, clip_sample=False, set_alpha_to_one=False,
                  steps_offset=1).save_pretrained(args.out / "scheduler")
    if (args.out / "tokenizer").resolve() != TOKENIZER.resolve():
        shutil.copytree(TOKENIZER, args.out / "tokenizer", dirs_exist_ok=True)
    if (args.out / "scorer").exists():
        for file in TOKENIZER.iterdir():
            shutil.copy(file, args.out / "scorer")
        (args.out / "scorer" / "preprocessor_config.json").write_text(
            json.dumps(_PICTURES, indent=1) + "\n")
    (args.out / "model_index.json").write_text(
        json.dumps(_INDEX, indent=2) + "\n")
    size = sum(f.stat().st_size for f in args.out.rglob("*")
               if f.suffix == ".safetensors")
    print(f"weights: {size / 1e6:.1f} MB of {_LIMIT_BYTES / 1e6:.0f}")
    assert size <= _LIMIT_BYTES, "the model no longer fits its box"


if __name__ == "__main__":
    main()
