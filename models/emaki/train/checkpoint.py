"""Checkpoints that are either whole or absent."""

import os
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer


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


def save_parts(path: Path, step: int, **parts: nn.Module | Optimizer) -> None:
    """The states of `parts` after `step` steps."""
    states = {name: part.state_dict() for name, part in parts.items()}
    save({**states, "step": step}, path)


def load_parts(path: Path, **parts: nn.Module | Optimizer) -> int:
    """Gives `parts` what was saved, if anything. Returns the steps done."""
    state = load(path)
    if state is None:
        return 0
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["step"]
