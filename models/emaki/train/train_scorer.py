"""Trains the small CLIP that scores pictures against prompts.

The text tower starts from the denoiser's text encoder. The picture tower learns
from two losses: contrast with the captions of a batch, where most pictures differ
from others in one respect only, and direct questions about the scene
(`reader.py`), which are dropped afterwards. Pictures are blurred and
noised at random, because generated ones are never as crisp as renders.

Resumes from --run/scorer.pt; writes --run/scorer in transformers' layout.
"""

import argparse
import dataclasses
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import (CLIPConfig, CLIPModel, CLIPTextModel,
                          CLIPVisionConfig)

import checkpoint
import pids
import schedule
from architectures import IMAGE_PIXELS, TEXT_CONFIG
from perturb import untidy
from progress import Progress
from reader import Reader, labels_of
from scenes import Captioner, Scene, draw, sample
from scenes.vocabulary import POSITIONS, STYLES, THINGS
from tokens import Tokens

_TOKENS = 32
_WIDTH = 256
_GROUP = 8  # scenes that differ only in their things


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--run", type=Path, required=True,
        help="folder with text_encoder/, and for checkpoints")
    add("--init", type=Path, help="scorer whose picture tower to start from")
    add("--steps", type=int, default=700)
    add("--batch", type=int, default=96)
    add("--lr", type=float, default=1e-3)
    add("--device", default="cpu")
    add("--threads", type=int, default=1)
    add("--save-every", type=int, default=50, help="steps")
    add("--pid-file", help="append the process id here")
    add("--seed", type=int, default=3)
    return parser.parse_args()


def scorer(text: CLIPTextModel, init: Path | None) -> CLIPModel:
    """A model whose text tower is copied from `text`, the rest from `init`."""
    vision = CLIPVisionConfig(
        hidden_size=_WIDTH, intermediate_size=4 * _WIDTH, num_hidden_layers=4,
        num_attention_heads=4, image_size=IMAGE_PIXELS, patch_size=16,
        projection_dim=_WIDTH).to_dict()
    model = CLIPModel(CLIPConfig(text_config=TEXT_CONFIG, vision_config=vision,
                                 projection_dim=_WIDTH))
    if init:
        old = CLIPModel.from_pretrained(init, dtype=torch.float32)
        model.load_state_dict(old.state_dict())
    model.text_model.load_state_dict(text.state_dict(), strict=False)
    return model


def batch_of_scenes(rng: np.random.Generator, count: int) -> list[Scene]:
    """A third at random, the rest in groups that differ in one thing only."""
    scenes = [sample(rng) for _ in range(count // 3)]
    while len(scenes) < count:
        base = sample(rng)
        if base.count and len(base.things) == 1:
            scenes += _variants(base, rng)
    return scenes[:count]


def _variants(base: Scene, rng: np.random.Generator) -> list[Scene]:
    """The scene with other things, or at other sides, or in other numbers."""
    kind = rng.choice(("things", "position", "count", "style"),
                      p=(0.3, 0.35, 0.25, 0.1))
    if kind == "things":
        others = rng.choice(len(THINGS), _GROUP, replace=False)
        changes = [dict(things=(int(i),)) for i in others]
    elif kind == "position":
        changes = [dict(position=p, count=1, size=None) for p in POSITIONS]
    elif kind == "count":
        changes = [dict(count=n, position=None, size=None) for n in (1, 2, 3)]
    else:
        changes = [dict(style=s) for s in (None, *STYLES)]
    return [dataclasses.replace(base, **change) for change in changes]


def spoil(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Noise and blur of random strength."""
    x = x + torch.randn_like(x) * rng.uniform(0, 0.12)
    side = int(rng.choice((128, 128, 64, 48)))
    if side < IMAGE_PIXELS:
        small = F.interpolate(x, side, mode="area")
        x = F.interpolate(small, IMAGE_PIXELS, mode="bilinear")
    return x


def contrast(model: CLIPModel, image: torch.Tensor, text: torch.Tensor,
             captions: list[str]) -> tuple[torch.Tensor, float]:
    """CLIP's loss, where equal captions are no error, and its accuracy."""
    image, text = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
    logits = model.logit_scale.exp().clamp(max=100) * image @ text.T
    same = torch.tensor([[a == b for b in captions] for a in captions])
    target = same.float().to(logits.device)
    target = target / target.sum(1, keepdim=True)
    loss = (F.cross_entropy(logits, target)
            + F.cross_entropy(logits.T, target)) / 2
    right = target.gather(1, logits.argmax(1, keepdim=True)) > 0
    return loss, right.float().mean().item()


def main() -> None:
    args = parse_arguments()
    pids.note(args.pid_file, [os.getpid()])
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    model = scorer(CLIPTextModel.from_pretrained(args.run / "text_encoder"),
                   args.init)
    reader = Reader(_WIDTH)
    model.to(device).train(), reader.to(device)
    slow = list(model.text_model.parameters())
    fast = [p for n, p in model.named_parameters()
            if not n.startswith("text_model.")] + list(reader.parameters())
    optimizer = torch.optim.AdamW(
        [dict(params=slow, base=0.1), dict(params=fast, base=1.0)],
        lr=args.lr, betas=(0.9, 0.98), weight_decay=0.02)
    path = args.run / "scorer.pt"
    parts = dict(model=model, reader=reader, optimizer=optimizer)
    start = checkpoint.load_parts(path, **parts)
    rng = np.random.default_rng([args.seed, start])
    captioner, tokens = Captioner(rng), Tokens()
    progress = Progress(args.run / "scorer.log")
    for step in range(start, args.steps):
        scenes = batch_of_scenes(rng, args.batch)
        pictures = np.stack([draw(scene, rng)[0] for scene in scenes])
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = spoil(x.to(device), rng)
        texts = [captioner.describe(scene).text for scene in scenes]
        ids = tokens([untidy(t, rng) for t in texts], _TOKENS).to(device)
        labels = {k: v.to(device) for k, v in labels_of(scenes, None).items()}
        rate = schedule.rate(step, args.steps)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * group["base"] * rate
        with torch.autocast(device.type, torch.bfloat16):
            seen = model.vision_model(pixel_values=x).pooler_output
            read = model.text_model(input_ids=ids).pooler_output
            image = model.visual_projection(seen)
            text = model.text_projection(read)
        contrastive, right = contrast(model, image.float(), text.float(), texts)
        asked, exact = reader.loss(seen.float(), labels)
        optimizer.zero_grad()
        (contrastive + 0.3 * asked).backward()
        nn.utils.clip_grad_norm_([*slow, *fast], 1.0)
        optimizer.step()
        progress.add(contrast=contrastive.item(), right=right,
                     asked=asked.item(), exact=exact)
        done = step + 1
        if done % 20 == 0:
            progress.line(step=done, pictures=done * args.batch)
        if done % args.save_every == 0 or done == args.steps:
            checkpoint.save_parts(path, done, **parts)
            model.save_pretrained(args.run / "scorer")


if __name__ == "__main__":
    main()
