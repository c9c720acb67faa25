#!/usr/bin/env python3
"""Rounds the float16 weights of safetensors files, in place, to float8's three bits behind the
leading one: `coarse_weights.py FILE...`. A model paints much the same with them, on the same
kernels, and xz makes them half as large. Needs Python alone."""

import struct
import sys
from pathlib import Path

DROPPED = 7  # of float16's ten bits


def rounded(halves):
    """The nearest coarse values, as bytes; the largest, from 63488 on, would become infinite."""
    count = len(halves) // 2
    # One number of all: a lane's carry ends in its own exponent.
    half = int.from_bytes(struct.pack("<H", 1 << (DROPPED - 1)) * count, "little")
    kept = int.from_bytes(struct.pack("<H", 0xFFFF << DROPPED & 0xFFFF) * count, "little")
    return ((int.from_bytes(halves, "little") + half) & kept).to_bytes(len(halves), "little")


def round_file(path):
    data = path.read_bytes()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    path.write_bytes(data[:begin] + rounded(data[begin:]))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        round_file(Path(name))
