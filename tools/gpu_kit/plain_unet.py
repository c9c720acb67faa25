"""Stable Diffusion's U-Net in plain PyTorch, SD1.5 and SDXL, with the parameter names of
diffusers' UNet2DConditionModel: the other side of Genzo's times, and the shapes of random
weights. Needs torch and nothing else."""

import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class UnetShape:
    channels: tuple
    layers_per_block: int = 2
    # Transformer blocks of each level, 0 for none; the middle has the last level's.
    transformers: tuple = (1, 1, 1, 0)
    middle_transformers: int = 1
    heads: tuple = (8, 8, 8, 8)
    context: int = 768
    linear_projection: bool = False
    pooled: int = 0  # SDXL: width of the pooled text, beside six size numbers
    config: dict = field(default_factory=dict)


def time_embedding(times, width):
    half = width // 2
    frequencies = torch.exp(
        -math.log(10000) * torch.arange(half, device=times.device, dtype=torch.float32) / half)
    angles = times.float()[:, None] * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class TimestepEmbedding(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.linear_1 = nn.Linear(width, out)
        self.linear_2 = nn.Linear(out, out)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class ResnetBlock2D(nn.Module):
    def __init__(self, channels, out, time):
        super().__init__()
        self.norm1 = nn.GroupNorm(32, channels)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        if time:
            self.time_emb_proj = nn.Linear(time, out)
        self.norm2 = nn.GroupNorm(32, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(channels, out, 1) if channels != out else None

    def forward(self, x, time=None):
        h = self.conv1(F.silu(self.norm1(x)))
        if time is not None:
            h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Attention(nn.Module):
    def __init__(self, width, context, heads):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context, width, bias=False)
        self.to_v = nn.Linear(context, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x, context=None):
        context = x if context is None else context

        def split(t):
            return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        out = F.scaled_dot_product_attention(
            split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context)))
        return self.to_out[0](out.transpose(1, 2).flatten(2))


class GeGlu(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.proj = nn.Linear(width, 2 * out)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.ModuleList([GeGlu(width, 4 * width), nn.Identity(),
                                  nn.Linear(4 * width, width)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    def __init__(self, width, context, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, context, heads)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(self, x, context):
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer2D(nn.Module):
    def __init__(self, width, context, heads, depth, linear):
        super().__init__()
        self.linear = linear
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.proj_in = nn.Linear(width, width) if linear else nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(width, context, heads) for _ in range(depth))
        self.proj_out = nn.Linear(width, width) if linear else nn.Conv2d(width, width, 1)

    def forward(self, x, context):
        height = x.shape[2]
        h = self.norm(x)
        if not self.linear:
            h = self.proj_in(h)
        h = h.flatten(2).transpose(1, 2)
        if self.linear:
            h = self.proj_in(h)
        for block in self.transformer_blocks:
            h = block(h, context)
        if self.linear:
            h = self.proj_out(h)
        h = h.transpose(1, 2).unflatten(2, (height, -1))
        return x + (h if self.linear else self.proj_out(h))


class Resize(nn.Module):
    def __init__(self, width, up):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(width, width, 3, stride=1 if up else 2, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.up else x)


class Block(nn.Module):
    """A level, on the way down or up: resnets, each with a transformer or none."""

    def __init__(self, shape, level, inputs, depth, resize):
        super().__init__()
        width = shape.channels[level]
        self.resnets = nn.ModuleList(
            ResnetBlock2D(channels, width, 4 * shape.channels[0]) for channels in inputs)
        if depth:
            self.attentions = nn.ModuleList(
                Transformer2D(width, shape.context, shape.heads[level], depth,
                              shape.linear_projection) for _ in inputs)
        if resize:
            setattr(self, "upsamplers" if resize == "up" else "downsamplers",
                    nn.ModuleList([Resize(width, resize == "up")]))

    def layers(self):
        attentions = getattr(self, "attentions", [None] * len(self.resnets))
        return zip(self.resnets, attentions)


class Middle(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width = shape.channels[-1]
        time = 4 * shape.channels[0]
        self.attentions = nn.ModuleList([
            Transformer2D(width, shape.context, shape.heads[-1], shape.middle_transformers,
                          shape.linear_projection)])
        self.resnets = nn.ModuleList([ResnetBlock2D(width, width, time) for _ in range(2)])

    def forward(self, x, time, context):
        x = self.resnets[0](x, time)
        return self.resnets[1](self.attentions[0](x, context), time)


class Unet(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        first = shape.channels[0]
        time = 4 * first
        levels = len(shape.channels)
        self.conv_in = nn.Conv2d(4, first, 3, padding=1)
        self.time_embedding = TimestepEmbedding(first, time)
        if shape.pooled:
            self.add_embedding = TimestepEmbedding(shape.pooled + 6 * 256, time)
        self.down_blocks = nn.ModuleList()
        skips = [first]
        width = first
        for level in range(levels):
            inputs = [width] + [shape.channels[level]] * (shape.layers_per_block - 1)
            width = shape.channels[level]
            last = level + 1 == levels
            self.down_blocks.append(Block(shape, level, inputs, shape.transformers[level],
                                          None if last else "down"))
            skips += [width] * (shape.layers_per_block + (0 if last else 1))
        self.mid_block = Middle(shape)
        self.up_blocks = nn.ModuleList()
        for level in reversed(range(levels)):
            inputs = []
            for _ in range(shape.layers_per_block + 1):
                inputs.append(width + skips.pop())
                width = shape.channels[level]
            self.up_blocks.append(Block(shape, level, inputs, shape.transformers[level],
                                        "up" if level else None))
        self.conv_norm_out = nn.GroupNorm(32, first)
        self.conv_out = nn.Conv2d(first, 4, 3, padding=1)

    def forward(self, x, times, context, pooled=None, sizes=None):
        dtype = x.dtype
        time = self.time_embedding(time_embedding(times, self.shape.channels[0]).to(dtype))
        if self.shape.pooled:
            numbers = time_embedding(sizes.flatten(), 256).unflatten(0, sizes.shape).flatten(1)
            time = time + self.add_embedding(torch.cat([pooled, numbers.to(dtype)], dim=-1))
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for resnet, attention in block.layers():
                x = resnet(x, time)
                x = x if attention is None else attention(x, context)
                skips.append(x)
            for resize in getattr(block, "downsamplers", []):
                x = resize(x)
                skips.append(x)
        x = self.mid_block(x, time, context)
        for block in self.up_blocks:
            for resnet, attention in block.layers():
                x = resnet(torch.cat([x, skips.pop()], dim=1), time)
                x = x if attention is None else attention(x, context)
            for resize in getattr(block, "upsamplers", []):
                x = resize(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


SD15 = UnetShape(
    channels=(320, 640, 1280, 1280),
    config={
        "_class_name": "UNet2DConditionModel", "sample_size": 64, "in_channels": 4,
        "out_channels": 4, "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280],
        "cross_attention_dim": 768, "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3})

SDXL = UnetShape(
    channels=(320, 640, 1280), transformers=(0, 2, 10), middle_transformers=10,
    heads=(5, 10, 20), context=2048, linear_projection=True, pooled=1280,
    config={
        "_class_name": "UNet2DConditionModel", "sample_size": 128, "in_channels": 4,
        "out_channels": 4, "attention_head_dim": [5, 10, 20],
        "block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048,
        "layers_per_block": 2, "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True, "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"]})
