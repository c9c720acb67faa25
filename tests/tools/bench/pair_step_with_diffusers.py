#!/usr/bin/env python3
"""One guided step and one decode, Genzo against diffusers, on one machine and one set of weights.

    pair_step_with_diffusers.py GENZO_STEP_SPEED MODEL [--rounds 3] [--dtype bfloat16] [--compile]

Rounds are interleaved; prints the medians and the ratio Genzo / diffusers. Needs torch and diffusers
(../shared/bench/requirements.txt). With --shares also what Genzo's convolutions and matrix products take of a step.
"""

import argparse
import collections
import json
import os
import statistics
import subprocess
import time

import diffusers
import torch


def genzo(arguments, extra=(), env=None):
    command = [arguments.program, arguments.model, "--dtype", arguments.dtype, "--rows", "2", *extra]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {row["what"]: row["seconds"] for row in rows}, output


class Reference:
    """diffusers in process: eager or compiled, channels last, like ../shared/bench/bench_diffusers.py."""

    def __init__(self, arguments):
        dtype = getattr(torch, arguments.dtype)
        pipe = diffusers.StableDiffusionPipeline.from_pretrained(arguments.model, torch_dtype=dtype)
        self.unet = pipe.unet.to(memory_format=torch.channels_last)
        self.vae = pipe.vae.to(memory_format=torch.channels_last)
        self.step, self.decode = self.unet, self.vae.decoder
        if arguments.compile:
            self.step = torch.compile(self.unet, dynamic=False)
            self.decode = torch.compile(self.vae.decoder, dynamic=False)
        side = self.unet.config.sample_size
        self.sample = torch.randn(2, self.unet.config.in_channels, side, side).to(dtype)
        self.context = torch.randn(2, 77, self.unet.config.cross_attention_dim).to(dtype)

    def measure(self):
        step = lambda: self.step(self.sample, torch.tensor(500), encoder_hidden_states=self.context, return_dict=False)
        decode = lambda: self.decode(self.vae.post_quant_conv(self.sample[:1] / 5))
        return {"unet_step": median_time(step), "vae_decode": median_time(decode)}


def median_time(function, repeats=3):
    function()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def print_shares(arguments):
    """Sums what oneDNN says of the last steps; the rest is attention, norms and copies."""
    env = dict(os.environ, ONEDNN_VERBOSE="1")
    seconds, output = genzo(arguments, ["--no-decode", "--repeats", "3"], env)
    lines = [line.split(",") for line in output.splitlines() if ",primitive,exec," in line]
    lines = [line for line in lines if line[5] in ("convolution", "inner_product", "matmul", "reorder")]
    per_step = len(lines) // 5  # the first two are to warm up
    sums = collections.Counter()
    for line in lines[-3 * per_step :]:
        sums[line[5]] += float(line[-1]) / 3000
    step = seconds["unet_step"]
    for kind, spent in sums.most_common():
        print(f"  {kind}: {spent:.3f} s, {100 * spent / step:.0f} %")
    print(f"  attention, norms, copies: {step - sum(sums.values()):.3f} s")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--shares", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(os.cpu_count())
    reference = Reference(arguments)
    ours, theirs = collections.defaultdict(list), collections.defaultdict(list)
    for _ in range(arguments.rounds):
        for what, seconds in genzo(arguments)[0].items():
            ours[what].append(seconds)
        for what, seconds in reference.measure().items():
            theirs[what].append(seconds)
    for what in ours:
        ratio = statistics.median(a / b for a, b in zip(ours[what], theirs[what]))
        print(f"{what}: Genzo {statistics.median(ours[what]):.4f} s, diffusers "
              f"{'compiled' if arguments.compile else 'eager'} {statistics.median(theirs[what]):.4f} s, "
              f"ratio {ratio:.2f}")
    if arguments.shares:
        print_shares(arguments)


if __name__ == "__main__":
    main()
