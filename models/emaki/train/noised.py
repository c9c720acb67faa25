"""What a network that predicts v (arXiv:2202.00512) is trained on."""

import torch


def noised(latents: torch.Tensor, alphas: torch.Tensor
           ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`latents` [B, C, h, w] at stratified noise levels, timesteps [B], their v.

    `alphas` are the cumulative products of the schedule.
    """
    count = len(latents)
    times = (torch.rand(count) + torch.arange(count)) / count
    times = (times * len(alphas)).long().clamp_max(len(alphas) - 1)
    times = times.to(latents.device)
    alpha = alphas[times].sqrt()[:, None, None, None]
    sigma = (1 - alphas[times]).sqrt()[:, None, None, None]
    noise = torch.randn_like(latents)
    return (alpha * latents + sigma * noise, times,
            alpha * noise - sigma * latents)
