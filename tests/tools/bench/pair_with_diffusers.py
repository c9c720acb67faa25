#!/usr/bin/env python3
"""Times one picture in Genzo and in diffusers, in turns, on the same weights.

    tests/tools/bench/pair_with_diffusers.py ADDRESS [MODEL_FOLDER] [ROUNDS]

ADDRESS is a running genzo-server's. Needs torch and diffusers. Genzo's time
includes starting `genzo`, the call and writing the PNG; diffusers runs eagerly in
this process and writes nothing.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from diffusers import StableDiffusionPipeline

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = 25


def timed(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def main():
    address = sys.argv[1]
    model = sys.argv[2] if len(sys.argv) > 2 else ROOT / "models/emaki"
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    pipeline = StableDiffusionPipeline.from_pretrained(
        model, torch_dtype=torch.float32, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    folder = tempfile.mkdtemp()
    genzo = [ROOT / "build/release/bin/genzo", "--server", address, "generate"]
    options = ["--no-previews", "--steps", str(STEPS), "-s", "1", "-o", folder]

    def run_genzo():
        subprocess.run(
            [*genzo, "a fox", *options], check=True, stdout=subprocess.DEVNULL
        )

    def run_reference():
        pipeline("a fox", num_inference_steps=STEPS, guidance_scale=7.5)

    run_genzo()
    run_reference()
    pairs = [(timed(run_reference), timed(run_genzo)) for _ in range(rounds)]
    reference, ours = zip(*pairs)
    print(f"diffusers {statistics.median(reference):.3f} s")
    print(f"genzo     {statistics.median(ours):.3f} s")
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"ratio     {ratio:.2f} (median of pairs)")


if __name__ == "__main__":
    main()
