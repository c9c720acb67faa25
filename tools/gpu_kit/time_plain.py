#!/usr/bin/env python3
"""Times the U-Net of `make_models.py` in plain PyTorch, eager or compiled, as JSON lines like
genzo-step-speed's: the other side of Genzo's figures. Needs torch and nothing else."""

import argparse
import json
import statistics
import time

import torch

from plain_unet import SD15, SDXL, Unet


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["sd15", "sdxl"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", default="1,2,4,8,16,32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm-ups", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    shape = SDXL if arguments.kind == "sdxl" else SD15
    side = 128 if arguments.kind == "sdxl" else 64
    device = torch.device(arguments.device)
    torch.manual_seed(0)
    with torch.inference_mode(), device:
        torch.set_default_dtype(torch.bfloat16)
        unet = Unet(shape).eval().to(memory_format=torch.channels_last)
        forward = torch.compile(unet, mode="max-autotune-no-cudagraphs") \
            if arguments.compile else unet
        for rows in map(int, arguments.rows.split(",")):
            inputs = [torch.randn(rows, 4, side, side).to(memory_format=torch.channels_last),
                      torch.full((rows,), 500.0), torch.randn(rows, 77, shape.context)]
            if shape.pooled:
                inputs += [torch.randn(rows, shape.pooled),
                           torch.tensor([[1024.0, 1024, 0, 0, 1024, 1024]] * rows)]

            def once():
                begin = time.perf_counter()
                forward(*inputs)
                if device.type == "cuda":
                    torch.cuda.synchronize()
                return time.perf_counter() - begin

            for _ in range(arguments.warm_ups):
                once()
            seconds = statistics.median(once() for _ in range(arguments.repeats))
            what = "plain_compiled" if arguments.compile else "plain_eager"
            print(json.dumps({"what": what, "rows": rows, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
