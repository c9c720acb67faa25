#!/usr/bin/env python3
"""What guidance intervals and T-GATE save, and how far their pictures are from the exact ones.

    approximations.py build/release/bin MODEL [--prompts 8] [--rounds 3] [--steps 20] [--size 128]
                      [--setting "--text-gate 10"]...

Starts a genzo-server of MODEL alone, and paints every prompt with every setting, in an order drawn anew each
round. Prints a table: the time from the first to the last step over that of the exact picture of the same round,
median (smallest to largest over the rounds, all prompts summed); the same of the server's processor time, which busy
neighbours change less; and the PSNR against the exact picture, mean and worst. Needs numpy and Pillow.
"""

import argparse
import json
import math
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
from PIL import Image

PROMPTS = ["a red fox in the snow", "pirate ship on the ocean at sunset", "a castle at night", "paradise beach",
           "a penguin in the snow", "a lighthouse", "three lemons", "a dragon over the city at night",
           "cactus in the desert at sunset", "a violin in the room", "two cats", "a whale in the ocean",
           "a unicorn on the moon surface", "rocket in space", "a ferris wheel at night", "mountains"]
SETTINGS = ["--guidance-end 0.8", "--guidance-end 0.5", "--guidance-start 0.2", "--guidance-start 0.1 --guidance-end 0.8",
            "--text-gate {15}", "--text-gate {10}", "--text-gate {5}"]


class Server:
    """One process, ended with the block."""

    def __init__(self, programs, model, folder):
        self.programs, self.folder = programs, folder
        config = pathlib.Path(folder, "genzo.yaml")
        config.write_text(json.dumps({"models": [{"id": "model", "path": str(pathlib.Path(model).resolve())}]}))
        self.process = subprocess.Popen([programs / "genzo-server", "--config", config, "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if found:
                self.address = found.group(0)
                return
        sys.exit("the server did not start")

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        ask = [self.programs / "genzo", "generate", "", "--server", self.address, "--steps", "1", "--no-previews", "-o",
               self.folder]
        while subprocess.run(ask, capture_output=True).returncode != 0:  # the model is loading
            if self.process.poll() is not None:
                sys.exit("the server ended")
            time.sleep(1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Painter:
    def __init__(self, arguments, server, folder):
        self.arguments, self.server, self.folder = arguments, server, folder

    def paint(self, number, setting):
        """Seconds of the walk, seconds of the processors, the picture."""
        folder = pathlib.Path(self.folder, "picture")
        a = self.arguments
        command = [a.programs / "genzo", "generate", PROMPTS[number], "--server", self.server.address, "--json",
                   "--no-previews", "--steps", a.steps, "--guidance", a.guidance, "--width", a.size, "--height", a.size,
                   "--sampler", a.sampler, "--seed", number, "-o", folder, *setting.split()]
        before = self.server.processor_seconds()
        answer = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
        spent = self.server.processor_seconds() - before
        ended = [json.loads(line)["ended"] for line in answer.splitlines() if '"ended"' in line][-1]
        (file,) = folder.glob("*.png")
        pixels = numpy.asarray(Image.open(file).convert("RGB"), numpy.float64)
        file.unlink()
        return float(str(ended["denoise"]).rstrip("s")), spent, pixels


def psnr(one, other):
    error = numpy.mean((one - other) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("programs", type=pathlib.Path)
    add("model")
    add("--prompts", type=int, default=8)
    add("--rounds", type=int, default=3)
    add("--steps", type=int, default=20)
    add("--size", type=int, default=128)
    add("--guidance", type=float, default=3)
    add("--sampler", default="ddim")
    add("--setting", action="append", help="options of genzo generate; a step in braces is of 20")
    a = parser.parse_args()
    scaled = [re.sub(r"\{(\d+)\}", lambda m: str(max(1, int(m[1]) * a.steps // 20)), s) for s in a.setting or SETTINGS]
    settings = ["", *scaled]
    walls, processors = ({s: [] for s in settings} for _ in range(2))
    quality = {s: [] for s in settings}
    with tempfile.TemporaryDirectory() as folder, Server(a.programs, a.model, folder) as server:
        painter = Painter(a, server, folder)
        for round_number in range(a.rounds):
            wall, processor, pictures = ({s: 0.0 for s in settings} for _ in range(3))
            for number in range(a.prompts):
                for setting in random.sample(settings, len(settings)):
                    seconds, spent, pictures[setting] = painter.paint(number, setting)
                    wall[setting] += seconds
                    processor[setting] += spent
                if round_number == 0:
                    for setting in settings:
                        quality[setting].append(psnr(pictures[setting], pictures[""]))
            for setting in settings:
                walls[setting].append(wall[setting] / wall[""])
                processors[setting].append(processor[setting] / processor[""])
    print("| setting | time of the walk | processor time of the picture | PSNR, mean | worst |\n|---|---|---|---|---|")
    for setting in scaled:
        print(f"| `{setting}` | {spread(walls[setting])} | {spread(processors[setting])} | "
              f"{statistics.mean(quality[setting]):.1f} dB | {min(quality[setting]):.1f} dB |")


if __name__ == "__main__":
    main()
