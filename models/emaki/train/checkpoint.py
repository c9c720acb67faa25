"""Checkpoints that are either whole or absent."""

import os
from pathlib import Path

import torch


def save(state: dict, path: Path) -> None:
    """Writes beside `path` and renames, so that a kill leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict | None:
    """The state at `path`, or None where nothing was saved yet."""
    if not path.exists():
        return None
    return torch.load(path, map_location="cpu", weights_only=True)
