"""Starts a network with more latent channels from one with fewer."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn


@torch.no_grad()
def autoencoder_from(old: AutoencoderKL, new: AutoencoderKL) -> None:
    """Copies `old` into `new`. Added latent channels start as noise that the
    decoder does not look at yet, so reconstructions begin as good as before."""
    few, many = old.config.latent_channels, new.config.latent_channels
    state = old.state_dict()
    for name, p in new.state_dict().items():
        if state[name].shape == p.shape:
            p.copy_(state[name])
    for layer in ("conv_out.weight", "conv_out.bias"):
        source = state[f"encoder.{layer}"]
        target = getattr(new.encoder.conv_out, layer.split(".")[1])
        target[:few] = source[:few]  # means, then log variances
        target[many:many + few] = source[few:]
    nn.init.normal_(new.encoder.conv_out.weight[few:many], std=0.02)
    nn.init.zeros_(new.encoder.conv_out.bias[few:many])
    nn.init.zeros_(new.encoder.conv_out.weight[many + few:])
    nn.init.constant_(new.encoder.conv_out.bias[many + few:], -6.0)
    _widen_pointwise(old.quant_conv, new.quant_conv, few, many, halves=2)
    _widen_pointwise(old.post_quant_conv, new.post_quant_conv, few, many,
                     halves=1)
    new.decoder.conv_in.weight[:, :few] = old.decoder.conv_in.weight
    nn.init.normal_(new.decoder.conv_in.weight[:, few:], std=0.01)


@torch.no_grad()
def unet_from(old: UNet2DConditionModel, new: UNet2DConditionModel) -> None:
    """Copies every weight whose shape fits, and the shared latent channels."""
    state = old.state_dict()
    few = old.config.in_channels
    for name, p in new.state_dict().items():
        if name not in state:
            continue
        if state[name].shape == p.shape:
            p.copy_(state[name])
        elif name == "conv_in.weight":
            p[:, :few] = state[name]
            p[:, few:] *= 0.5
        elif name.startswith("conv_out."):
            p[:few] = state[name]
            p[few:] = 0


def _widen_pointwise(old: nn.Conv2d, new: nn.Conv2d, few: int, many: int,
                     halves: int) -> None:
    """1x1 convolutions: the old block beside an identity for added channels."""
    nn.init.zeros_(new.weight)
    nn.init.zeros_(new.bias)
    for i in range(new.weight.shape[0]):
        new.weight[i, i] = 1
    for a in range(halves):
        new.bias[a * many:a * many + few] = old.bias[a * few:(a + 1) * few]
        for b in range(halves):
            block = old.weight[a * few:(a + 1) * few, b * few:(b + 1) * few]
            new.weight[a * many:a * many + few, b * many:b * many + few] = block
