"""Trains the text encoder to say what a caption names, without pictures.

Its end token and its padding must each tell the things, the background, the
time, style, size, position and number, in English and Japanese alike. Stray
words carry no label, so that words never seen are ignored. The denoiser then
trains against this encoder frozen.

New things can be added to an encoder that a denoiser already reads: with
--known, what it says of the things it knew stays nearly as it was.

Resumes from --run/text.pt; writes --run/text_encoder in transformers' layout.
"""

import argparse
import copy
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import CLIPTextModel

import checkpoint
import pids
import schedule
from architectures import END_TOKEN, MAX_TOKENS, text_encoder
from perturb import untidy
from progress import Progress
from reader import Reader, labels_of
from scenes import Captioner, Scene, sample
from tokens import Tokens

_SHORT = 28  # tokens; nearly every caption fits
_KEEPING_WEIGHT = 20.0  # a state's entries are of the order of one


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--run", type=Path, required=True, help="folder of checkpoints")
    add("--init", type=Path, help="text encoder to start from")
    add("--known", type=int, default=0, metavar="N",
        help="keep --init's states for captions of the first N things alone")
    add("--steps", type=int, default=800)
    add("--batch", type=int, default=128)
    add("--lr", type=float, default=1e-3)
    add("--device", default="cpu")
    add("--threads", type=int, default=1)
    add("--save-every", type=int, default=100, help="steps")
    add("--pid-file", help="append the process id here")
    add("--seed", type=int, default=5)
    return parser.parse_args()


def drift_of(states: torch.Tensor, before: torch.Tensor, scenes: list[Scene],
             known: int) -> torch.Tensor:
    """Mean square change of the captions that hold known things only."""
    rows = [i for i, s in enumerate(scenes) if all(t < known for t in s.things)]
    return (states[rows] - before[rows]).square().mean()


def train(args: argparse.Namespace, model: CLIPTextModel) -> None:
    device = torch.device(args.device)
    reader = Reader(model.config.hidden_size).to(device)
    before = copy.deepcopy(model).to(device).eval() if args.known else None
    model.to(device).train()
    parameters = [*model.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, betas=(0.9, 0.98))
    path = args.run / "text.pt"
    parts = dict(model=model, reader=reader, optimizer=optimizer)
    start = checkpoint.load_parts(path, **parts)
    rng = np.random.default_rng([args.seed, start])
    captioner, tokens = Captioner(rng), Tokens()
    progress = Progress(args.run / "text.log")
    for step in range(start, args.steps):
        # Every fourth batch is as long as prompts are at use.
        long = step % 4 == 3
        count = args.batch // 4 if long else args.batch
        scenes = [sample(rng) for _ in range(count)]
        captions = [captioner.describe(scene) for scene in scenes]
        ids = tokens([untidy(c.text, rng) for c in captions],
                     MAX_TOKENS if long else _SHORT).to(device)
        labels = {k: v.to(device)
                  for k, v in labels_of(scenes, captions).items()}
        rate = schedule.rate(step, args.steps)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * rate
        with torch.autocast(device.type, torch.bfloat16):
            hidden = model(ids).last_hidden_state
        end = (ids == END_TOKEN).int().argmax(-1)
        at_end, exact = reader.loss(
            hidden[torch.arange(count), end].float(), labels)
        at_last, exact_last = reader.loss(hidden[:, -1].float(), labels)
        loss = at_end + at_last
        figures = dict(exact=exact, exact_in_padding=exact_last)
        if before:
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
                states = before(ids).last_hidden_state
            drift = drift_of(hidden.float(), states.float(), scenes, args.known)
            loss = loss + _KEEPING_WEIGHT * drift
            figures["drift"] = drift.item()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        progress.add(loss=loss.item(), **figures)
        if (step + 1) % 50 == 0:
            progress.line(step=step + 1)
        if (step + 1) % args.save_every == 0 or step + 1 == args.steps:
            checkpoint.save_parts(path, step + 1, **parts)
            model.save_pretrained(args.run / "text_encoder")


def main() -> None:
    args = parse_arguments()
    pids.note(args.pid_file, [os.getpid()])
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model = text_encoder()
    if args.init:
        model = CLIPTextModel.from_pretrained(
            args.init, dtype=torch.float32, attn_implementation="eager")
    train(args, model)


if __name__ == "__main__":
    main()
