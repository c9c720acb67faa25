"""The shapes of Emaki's networks, in one place."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

IMAGE_PIXELS = 128
CELL_PIXELS = 8  # one latent cell
LATENT_CELLS = IMAGE_PIXELS // CELL_PIXELS
LATENT_CHANNELS = 8
MAX_TOKENS = 77
START_TOKEN = 4094
END_TOKEN = 4095

TEXT_CONFIG = dict(
    vocab_size=4096,
    hidden_size=256,
    intermediate_size=1024,
    num_hidden_layers=3,
    num_attention_heads=4,
    max_position_embeddings=MAX_TOKENS,
    projection_dim=256,
    hidden_act="quick_gelu",
    bos_token_id=START_TOKEN,
    eos_token_id=END_TOKEN,
    pad_token_id=END_TOKEN,
)
VAE_CONFIG = dict(
    in_channels=3,
    out_channels=3,
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    block_out_channels=(32, 64, 128, 128),
    layers_per_block=1,
    latent_channels=LATENT_CHANNELS,
    norm_num_groups=8,  # 32 groups on 32 channels would be instance norm
    sample_size=IMAGE_PIXELS,
    scaling_factor=1.0,  # see standardise_latents.py
)
UNET_CONFIG = dict(
    sample_size=LATENT_CELLS,
    in_channels=LATENT_CHANNELS,
    out_channels=LATENT_CHANNELS,
    down_block_types=(
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "DownBlock2D",
    ),
    up_block_types=(
        "UpBlock2D",
        "CrossAttnUpBlock2D",
        "CrossAttnUpBlock2D",
    ),
    block_out_channels=(64, 128, 256),
    layers_per_block=1,
    cross_attention_dim=TEXT_CONFIG["hidden_size"],
    attention_head_dim=4,  # diffusers reads this as the number of heads
    norm_num_groups=16,
)
SCHEDULE_CONFIG = dict(
    num_train_timesteps=1000,
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    prediction_type="v_prediction",
)


def text_encoder() -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(**TEXT_CONFIG))


def autoencoder() -> AutoencoderKL:
    return AutoencoderKL(**VAE_CONFIG)


def unet() -> UNet2DConditionModel:
    """A fresh U-Net whose residual branches and output start at zero."""
    model = UNet2DConditionModel(**UNET_CONFIG)
    for module in model.modules():
        if isinstance(module, ResnetBlock2D):
            nn.init.zeros_(module.conv2.weight)
        if isinstance(module, Transformer2DModel):
            nn.init.zeros_(module.proj_out.weight)
    nn.init.zeros_(model.conv_out.weight)
    return model


def alphas_cumprod() -> torch.Tensor:
    """The noise schedule's cumulative alphas, [1000]."""
    start, end = SCHEDULE_CONFIG["beta_start"], SCHEDULE_CONFIG["beta_end"]
    steps = SCHEDULE_CONFIG["num_train_timesteps"]
    betas = torch.linspace(start**0.5, end**0.5, steps) ** 2
    return torch.cumprod(1 - betas, 0)
