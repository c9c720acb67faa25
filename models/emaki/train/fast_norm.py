"""GroupNorm for channels-last bf16 on CPU.

PyTorch's own backward is about 15 times slower for channels-last bf16 than for
contiguous tensors; this one is a few matrix-friendly passes.
"""

import torch
from torch import nn

_native_forward = nn.GroupNorm.forward


class _ChannelsLastGroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, groups, eps):
        batch, channels, height, width = x.shape
        pixels = height * width
        x = x.contiguous(memory_format=torch.channels_last)
        rows = x.permute(0, 2, 3, 1).reshape(batch, pixels, channels)
        size = pixels * channels // groups

        def group_sum(t):  # [B, N, C] -> [B, G]
            total = t.sum(1, dtype=torch.float32)
            return total.view(batch, groups, -1).sum(-1)

        mean = group_sum(rows) / size
        square = group_sum(rows * rows) / size
        rstd = (square - mean * mean).clamp_(min=0).add_(eps).rsqrt_()
        rstd = rstd.repeat_interleave(channels // groups, 1)
        mean = mean.repeat_interleave(channels // groups, 1)
        scale = rstd * weight.float()
        shift = (bias.float() - mean * scale).to(rows.dtype).unsqueeze(1)
        out = torch.addcmul(shift, rows, scale.to(rows.dtype).unsqueeze(1))
        ctx.save_for_backward(rows, weight, mean, rstd)
        ctx.shape = (groups, size, height, width)
        return out.view(batch, height, width, channels).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, grad):
        rows, weight, mean, rstd = ctx.saved_tensors
        groups, size, height, width = ctx.shape
        batch, pixels, channels = rows.shape
        per_group = channels // groups
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad = grad.permute(0, 2, 3, 1).reshape(batch, pixels, channels)
        grad_bias = grad.sum(1, dtype=torch.float32)
        grad_dot = (grad * rows).sum(1, dtype=torch.float32)
        grad_weight = (grad_dot - mean * grad_bias) * rstd
        scale = weight.float()

        def group_mean(t):  # [B, C] -> [B, C], averaged inside each group
            total = (t * scale).view(batch, groups, per_group).sum(-1)
            return total.repeat_interleave(per_group, 1) / size

        mean_grad, mean_dot = group_mean(grad_bias), group_mean(grad_weight)
        a = (rstd * scale).to(rows.dtype).unsqueeze(1)
        b = (-rstd * rstd * mean_dot).to(rows.dtype).unsqueeze(1)
        c = -rstd * mean_grad + rstd * rstd * mean_dot * mean
        c = c.to(rows.dtype).unsqueeze(1)
        out = torch.addcmul(torch.addcmul(c, grad, a), rows, b)
        out = out.view(batch, height, width, channels).permute(0, 3, 1, 2)
        dtype = weight.dtype
        return (out, grad_weight.sum(0).to(dtype),
                grad_bias.sum(0).to(dtype), None, None)


def _forward(self: nn.GroupNorm, x: torch.Tensor) -> torch.Tensor:
    fast = (x.dim() == 4 and x.device.type == "cpu"
            and x.dtype == torch.bfloat16 and torch.is_grad_enabled())
    if not fast:
        return _native_forward(self, x)
    return _ChannelsLastGroupNorm.apply(
        x, self.weight, self.bias, self.num_groups, self.eps)


def install() -> None:
    """Makes every GroupNorm of this process use the fast path where it can."""
    nn.GroupNorm.forward = _forward
