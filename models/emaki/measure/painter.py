"""Draws pictures with diffusers' own StableDiffusionPipeline."""

from pathlib import Path

import numpy as np
import torch
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler,
                       StableDiffusionImg2ImgPipeline,
                       StableDiffusionPipeline)
from PIL import Image

SAMPLERS = {"ddim": DDIMScheduler, "dpmpp_2m": DPMSolverMultistepScheduler}


class Painter:
    def __init__(self, folder: Path, steps: int, guidance: float,
                 device: torch.device, sampler: str = "ddim") -> None:
        self.pipeline = StableDiffusionPipeline.from_pretrained(
            folder, torch_dtype=torch.float32, safety_checker=None,
            requires_safety_checker=False).to(device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.pipeline.scheduler = SAMPLERS[sampler].from_config(
            self.pipeline.scheduler.config)
        self._steps, self._guidance, self._device = steps, guidance, device

    def _generators(self, count: int, seed: int) -> list[torch.Generator]:
        """Each picture has noise of its own, whatever the batch."""
        return [torch.Generator().manual_seed(seed + i) for i in range(count)]

    @torch.no_grad()
    def paint(self, prompts: list[str], seed: int, batch: int = 16
              ) -> np.ndarray:
        """uint8 [N, 128, 128, 3]; the seed of picture i is seed + i."""
        done = []
        for start in range(0, len(prompts), batch):
            part = list(prompts[start:start + batch])
            images = self.pipeline(
                part, num_inference_steps=self._steps,
                guidance_scale=self._guidance, height=128, width=128,
                generator=self._generators(len(part), seed + start),
                output_type="np").images
            done.append(images)
        return _bytes(np.concatenate(done))

    @torch.no_grad()
    def develop(self, prompt: str, seed: int, steps: int, show: list[int]
                ) -> np.ndarray:
        """What the model believes after some of the steps, uint8 [N, ...]."""
        pipe = self.pipeline
        side = pipe.unet.config.sample_size
        shape = (1, pipe.unet.config.in_channels, side, side)
        start = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        walk, times = [start.to(self._device)], []

        def keep(_pipe, index: int, t: torch.Tensor, values: dict) -> dict:
            walk.append(values["latents"])
            times.append(int(t))
            return values

        pipe(prompt, num_inference_steps=steps, height=128, width=128,
             guidance_scale=self._guidance, output_type="latent",
             latents=walk[0], callback_on_step_end=keep)
        pictures = []
        for number in show:
            clean = self._denoised(walk[number - 1], walk[number],
                                   times[number - 1], 1000 // steps)
            x = pipe.vae.decode(clean / pipe.vae.config.scaling_factor).sample
            pictures.append(x[0].permute(1, 2, 0).float().cpu().numpy())
        return _bytes(np.stack(pictures) / 2 + 0.5)

    def _denoised(self, before: torch.Tensor, after: torch.Tensor, time: int,
                  stride: int) -> torch.Tensor:
        """Both latents of a DDIM step hold the same picture and noise in known
        parts, so two equations give the picture."""
        alphas = self.pipeline.scheduler.alphas_cumprod
        now, then = alphas[time], alphas[max(time - stride, 0)]
        noise_now, noise_then = (1 - now).sqrt(), (1 - then).sqrt()
        picture = noise_then * before - noise_now * after
        return picture / (noise_then * now.sqrt() - noise_now * then.sqrt())

    @torch.no_grad()
    def repaint(self, prompt: str, image: np.ndarray, strength: float,
                seed: int) -> np.ndarray:
        """Image-to-image of one uint8 picture."""
        pipe = StableDiffusionImg2ImgPipeline(**self.pipeline.components,
                                              requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        # so many steps that as many run as when starting from noise
        steps = round(self._steps / strength)
        result = pipe(prompt, Image.fromarray(image), strength=strength,
                      num_inference_steps=steps,
                      guidance_scale=self._guidance,
                      generator=self._generators(1, seed), output_type="np")
        return _bytes(result.images)[0]


def _bytes(images: np.ndarray) -> np.ndarray:
    return (np.clip(images, 0, 1) * 255).round().astype(np.uint8)
