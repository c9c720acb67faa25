"""Attention written out, for training on CPU.

The backward of PyTorch's fused attention is about ten times slower there than
two batched products and a softmax at 256 tokens.
"""

import torch
from diffusers.models.attention_processor import Attention


class PlainAttention:
    """A processor for `UNet2DConditionModel.set_attn_processor`."""

    def __call__(self, attn: Attention, hidden_states: torch.Tensor,
                 encoder_hidden_states: torch.Tensor | None = None,
                 attention_mask: torch.Tensor | None = None,
                 temb: torch.Tensor | None = None) -> torch.Tensor:
        context = hidden_states if encoder_hidden_states is None \
            else encoder_hidden_states
        batch, queries, _ = hidden_states.shape
        keys, heads = context.shape[1], attn.heads
        q = attn.to_q(hidden_states)
        width = q.shape[-1] // heads

        def split(t: torch.Tensor, count: int) -> torch.Tensor:
            t = t.view(batch, count, heads, width).transpose(1, 2)
            return t.reshape(batch * heads, count, width)

        q = split(q * width**-0.5, queries)
        k = split(attn.to_k(context), keys)
        v = split(attn.to_v(context), keys)
        weights = torch.softmax(q @ k.transpose(1, 2), -1)
        out = (weights @ v).view(batch, heads, queries, width)
        out = out.transpose(1, 2).reshape(batch, queries, heads * width)
        return attn.to_out[0](out)
