#!/usr/bin/env python3
"""Takes all of the GPU's free memory but LEAVE GiB, says "ready" and keeps it until it is killed:
`take_memory.py LEAVE`. Needs torch."""

import sys
import time

import torch

free, _ = torch.cuda.mem_get_info()
taken = torch.empty(free - int(float(sys.argv[1]) * (1 << 30)), dtype=torch.uint8, device="cuda")
torch.cuda.synchronize()
print("ready", flush=True)
time.sleep(600)
