#!/usr/bin/env python3
"""One guided step and one decode, Genzo against diffusers, on one machine and one set of weights.

    pair_step_with_diffusers.py GENZO_STEP_SPEED MODEL [--rounds 3] [--dtype bfloat16] [--compile]

Rounds are interleaved; prints the medians and the ratio Genzo / diffusers. Needs torch and diffusers
(../shared/bench/requirements.txt). With --shares also what Genzo's convolutions and matrix products take of a step.
"""

import argparse
import collections
import os
import statistics

from step_times import Diffusers, genzo


def print_shares(arguments):
    """Sums what oneDNN says of the last steps; the rest is attention, norms and copies."""
    env = dict(os.environ, ONEDNN_VERBOSE="1")
    times, output = genzo(arguments.program, arguments.model, arguments.dtype,
                          ["--no-decode", "--repeats", "3"], env)
    lines = [line.split(",") for line in output.splitlines() if ",primitive,exec," in line]
    lines = [line for line in lines if line[5] in ("convolution", "inner_product", "matmul", "reorder")]
    per_step = len(lines) // 5  # the first two are to warm up
    sums = collections.Counter()
    for line in lines[-3 * per_step :]:
        sums[line[5]] += float(line[-1]) / 3000
    step = times["unet_step"][0]
    for kind, spent in sums.most_common():
        print(f"  {kind}: {spent:.3f} s, {100 * spent / step:.0f} %")
    print(f"  attention, norms, copies: {step - sum(sums.values()):.3f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--shares", action="store_true")
    arguments = parser.parse_args()
    reference = Diffusers(arguments.model, arguments.dtype, arguments.compile)
    ours, theirs = collections.defaultdict(list), collections.defaultdict(list)
    for _ in range(arguments.rounds):
        mine, _ = genzo(arguments.program, arguments.model, arguments.dtype)
        for what, (seconds, _) in mine.items():
            ours[what].append(seconds)
        for what, (seconds, _) in reference.measure().items():
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
