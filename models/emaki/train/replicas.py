"""Data-parallel training over shared memory, one process per core.

On CPU two single-threaded processes beat one process with two threads by far,
because threads wait at a barrier inside every operator and processes only three
times a step. On CUDA the same code runs as one process.

Every parameter is a view of one flat buffer in the training dtype; an fp32 master
copy, the optimiser's moments and the moving average are flat too. Each rank
computes gradients for its own batch, then updates the parameters that it owns.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.multiprocessing as mp
from torch import nn

import pids
from muon import orthogonalise


@dataclass
class _Slot:
    """Where one parameter lies in the flat buffers, and who updates it."""

    start: int
    end: int
    rows: int  # first dimension, for matrices
    matrix: bool  # updated by Muon rather than AdamW
    owner: int


@dataclass(frozen=True)
class OptimizerConfig:
    adam_lr: float
    muon_lr: float = 0.0  # 0: AdamW for everything
    betas: tuple[float, float] = (0.9, 0.98)
    momentum: float = 0.9  # of Muon
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.999


class Replicas:
    """The shared state of one training run. Make it before starting workers."""

    _STATE = ("master", "first", "second", "ema")

    def __init__(self, module: nn.Module, config: OptimizerConfig, world: int,
                 device: torch.device, dtype: torch.dtype,
                 is_matrix: Callable[[str, nn.Parameter], bool]) -> None:
        self.config, self.world, self.device = config, world, device
        self.steps = 0
        named = [(n, p) for n, p in module.named_parameters()
                 if p.requires_grad]
        self._parameters = [p for _, p in named]
        self._slots = self._assign(named, is_matrix, world)
        size = self._slots[-1].end
        self.master = self._shared(torch.cat(
            [_stored(p.data).reshape(-1).float() for p in self._parameters]))
        self.weights = self._shared(self.master.to(dtype))
        self.first = self._shared(torch.zeros(size))
        self.second = self._shared(torch.zeros(size))
        self.ema = self._shared(self.master.clone())
        self._grads = self._shared(torch.zeros(world, size, dtype=dtype))
        self._norms = self._shared(torch.zeros(world))
        self._barrier = mp.get_context("fork").Barrier(world)
        for slot, p in zip(self._slots, self._parameters):
            p.data = _shaped(self.weights[slot.start:slot.end], p)

    def _shared(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.to(self.device)
        return tensor.share_memory_() if self.device.type == "cpu" else tensor

    @staticmethod
    def _assign(named: Iterable[tuple[str, nn.Parameter]],
                is_matrix: Callable[[str, nn.Parameter], bool],
                world: int) -> list[_Slot]:
        slots, start = [], 0
        for name, p in named:
            matrix = p.dim() >= 2 and is_matrix(name, p)
            slots.append(_Slot(start, start + p.numel(), p.shape[0], matrix, 0))
            start += p.numel()
        load = [0.0] * world  # biggest first, to the rank with least to do
        for slot in sorted(slots, key=_update_cost, reverse=True):
            slot.owner = load.index(min(load))
            load[slot.owner] += _update_cost(slot)
        return slots

    def wait(self) -> None:
        """Returns once every rank has called this."""
        self._barrier.wait()

    def step(self, rank: int, lr_scale: float) -> float:
        """Averages the ranks' gradients and updates. Returns their norm."""
        mine = self._grads[rank]
        for slot, p in zip(self._slots, self._parameters):
            view = mine[slot.start:slot.end]
            if p.grad is None:
                view.zero_()
            else:
                view.copy_(_stored(p.grad).reshape(-1))
                p.grad = None
        self.wait()
        owned = [s for s in self._slots if s.owner == rank]
        grads = [self._grads[:, s.start:s.end].float().mean(0) for s in owned]
        self._norms[rank] = sum(float(g.square().sum()) for g in grads)
        self.wait()
        norm = float(self._norms.sum().sqrt())
        clip = min(1.0, self.config.clip_norm / max(norm, 1e-12))
        self.steps += 1
        for slot, grad in zip(owned, grads):
            self._update(slot, grad.mul_(clip), lr_scale)
        self.wait()
        return norm

    def _update(self, slot: _Slot, grad: torch.Tensor, lr_scale: float) -> None:
        c, span = self.config, slice(slot.start, slot.end)
        master, first = self.master[span], self.first[span]
        if slot.matrix and c.muon_lr > 0:
            lr = c.muon_lr * lr_scale
            first.lerp_(grad, 1 - c.momentum)
            ahead = grad.lerp_(first, c.momentum)  # Nesterov's look-ahead
            delta = orthogonalise(ahead.view(slot.rows, -1)).reshape(-1)
            master.mul_(1 - lr * c.weight_decay).add_(delta, alpha=-lr)
        else:
            lr, (b1, b2) = c.adam_lr * lr_scale, c.betas
            second = self.second[span]
            first.lerp_(grad, 1 - b1)
            second.mul_(b2).addcmul_(grad, grad, value=1 - b2)
            root = (second / (1 - b2**self.steps)).sqrt_().add_(1e-8)
            master.mul_(1 - lr * c.weight_decay)
            master.addcdiv_(first, root, value=-lr / (1 - b1**self.steps))
        self.weights[span].copy_(master)
        # A young average follows fast, or it would remember the start for long.
        decay = min(c.ema_decay, (1 + self.steps) / (10 + self.steps))
        self.ema[span].lerp_(master, 1 - decay)

    def state(self) -> dict:
        """What a checkpoint keeps."""
        tensors = {name: getattr(self, name) for name in self._STATE}
        return {**tensors, "steps": self.steps}

    def load_state(self, state: dict) -> None:
        for name in self._STATE:
            getattr(self, name).copy_(state[name])
        self.weights.copy_(self.master)
        self.steps = state["steps"]


def export(flat: torch.Tensor, module: nn.Module) -> None:
    """Writes a flat vector (`ema`, `master`) into an ordinary fp32 module."""
    start = 0
    for p in module.parameters():
        if p.requires_grad:
            piece = flat[start:start + p.numel()]
            p.data = _shaped(piece, p).float().clone().contiguous()
            start += p.numel()


def run_workers(worker: Callable[[int], None], world: int,
                pid_file: str | None) -> None:
    """Forks `world` processes that run `worker(rank)` and waits for them.

    A single worker runs right here: CUDA does not survive a fork.
    """
    if world == 1:
        pids.note(pid_file, [os.getpid()])
        worker(0)
        return
    context = mp.get_context("fork")
    processes = [context.Process(target=worker, args=(rank,), daemon=True)
                 for rank in range(world)]
    for process in processes:
        process.start()
    pids.note(pid_file, [os.getpid(), *(p.pid for p in processes)])
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a worker failed")


def _update_cost(slot: _Slot) -> float:
    size = slot.end - slot.start
    if not slot.matrix:
        return size
    return size * (1 + 0.25 * min(slot.rows, size // slot.rows))


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    """Convolution weights are stored channels-last, so that views are too."""
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor


def _shaped(flat: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    shape = like.shape
    if like.dim() != 4:
        return flat.view(shape)
    out, inner, height, width = shape
    return flat.view(out, height, width, inner).permute(0, 3, 1, 2)
