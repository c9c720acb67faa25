"""Draws a sheet of training scenes, prints their captions and the speed."""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from scenes import Scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="PNG file to write")
    parser.add_argument("--columns", type=int, default=12)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    scenes, rng = Scenes(), np.random.default_rng(args.seed)
    begin = time.process_time()
    drawn = [scenes.render(rng) for _ in range(args.columns * args.rows)]
    each = (time.process_time() - begin) / len(drawn)
    pictures = [picture for picture, _, _, _ in drawn]
    lines = [np.concatenate(pictures[i:i + args.columns], 1)
             for i in range(0, len(pictures), args.columns)]
    Image.fromarray(np.concatenate(lines)).save(args.out)
    for _, caption, _, _ in drawn:
        print(caption.text)
    print(f"{1000 * each:.2f} ms each")


if __name__ == "__main__":
    main()
