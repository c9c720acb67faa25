#!/usr/bin/env python3
"""One guided step and one decode, Genzo against diffusers, on one machine and one set of weights.

    pair_step_with_diffusers.py GENZO_STEP_SPEED MODEL [--rounds 3] [--repeats 3]
        [--dtype bfloat16] [--compile] [--side PIXELS] [--no-decode]

MODEL is a folder of SD1, SD2, SDXL or FLUX in the diffusers layout. Rounds are interleaved; without
--compile diffusers loads the model anew in each, so that a large one is never in memory twice.
Prints the medians and the ratio Genzo / diffusers. Needs torch and diffusers
(../shared/bench/requirements.txt). With --shares also what Genzo's convolutions and matrix products
take of a step.
"""

import argparse
import collections
import multiprocessing
import os
import statistics

from step_times import Diffusers, genzo


def spent_in_kernels(arguments, extra, repeats):
    """Seconds by kind that oneDNN says it took, with so many steps that are measured, and a step's."""
    times, output = genzo(arguments.program, arguments.model, arguments.dtype,
                          [*extra, "--no-decode", "--repeats", str(repeats)],
                          dict(os.environ, ONEDNN_VERBOSE="1"))
    sums = collections.Counter()
    for line in output.splitlines():
        if ",primitive,exec," not in line:
            continue
        columns = line.split(",")
        if columns[5] in ("convolution", "inner_product", "matmul", "reorder"):
            sums[columns[5]] += float(columns[-1]) / 1000
    return sums, times["unet_step"][0]


def print_shares(arguments, extra):
    """What three steps more add; the rest of a step is attention, norms and copies."""
    one, _ = spent_in_kernels(arguments, extra, 1)
    four, step = spent_in_kernels(arguments, extra, 4)
    sums = {kind: (four[kind] - one[kind]) / 3 for kind in four}
    for kind, spent in sorted(sums.items(), key=lambda item: -item[1]):
        print(f"  {kind}: {spent:.3f} s, {100 * spent / step:.0f} %")
    print(f"  attention, norms, copies: {step - sum(sums.values()):.3f} s")


def measure(decode, *how):
    return Diffusers(*how).measure(decode)


def measure_apart(*how):
    """In a process of its own: what diffusers frees would stay this one's, and a large model needs
    it in the next round."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, how)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", type=int, help="of the picture in pixels; default: the model's own")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--no-decode", action="store_true")
    parser.add_argument("--shares", action="store_true")
    arguments = parser.parse_args()
    extra = ["--side", str(arguments.side)] if arguments.side else []
    options = [*extra, "--repeats", str(arguments.repeats),
               *(["--no-decode"] if arguments.no_decode else [])]

    decode = not arguments.no_decode
    how = (arguments.model, arguments.dtype, arguments.compile, arguments.side, arguments.repeats)
    compiled = Diffusers(*how) if arguments.compile else None
    ours, theirs = collections.defaultdict(list), collections.defaultdict(list)
    for _ in range(arguments.rounds):
        mine, _ = genzo(arguments.program, arguments.model, arguments.dtype, options)
        for what, (seconds, _) in mine.items():
            ours[what].append(seconds)
        measured = compiled.measure(decode) if compiled else measure_apart(decode, *how)
        for what, (seconds, _) in measured.items():
            theirs[what].append(seconds)
    for what in ours:
        ratio = statistics.median(a / b for a, b in zip(ours[what], theirs[what]))
        print(f"{what}: Genzo {statistics.median(ours[what]):.4f} s, diffusers "
              f"{'compiled' if arguments.compile else 'eager'} {statistics.median(theirs[what]):.4f} s, "
              f"ratio {ratio:.2f}")
    if arguments.shares:
        print_shares(arguments, extra)


if __name__ == "__main__":
    main()
