"""What a guided step and a decode take of Genzo and of diffusers, for scripts that pair them with
others. Times are medians as (seconds, core-seconds), of {"unet_step", "vae_decode"}."""

import json
import os
import resource
import statistics
import subprocess
import time
from pathlib import Path

CORES = len(os.sched_getaffinity(0))


def core_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def median_times(function, repeats=3):
    """(seconds, core-seconds), after once that does not count."""
    function()
    wall, cores = [], []
    for _ in range(repeats):
        begin, begin_cores = time.perf_counter(), core_seconds()
        function()
        wall.append(time.perf_counter() - begin)
        cores.append(core_seconds() - begin_cores)
    return statistics.median(wall), statistics.median(cores)


def genzo(program, model, dtype, extra=(), env=None):
    """The times of genzo-step-speed, and all that it wrote."""
    output = subprocess.run([program, model, "--dtype", dtype, "--rows", str(rows_of(model)), *extra],
                            check=True, capture_output=True, text=True, env=env).stdout
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {row["what"]: (row["seconds"], row["cpu_seconds"])
            for row in rows if "cpu_seconds" in row}, output


def rows_of(model):
    """Of one picture's step: FLUX is guided by a number that it is given."""
    return 1 if part_class(model, "transformer").startswith("Flux") else 2


def part_class(model, part):
    """What diffusers calls a part of the model; "" if it has none."""
    return (json.loads(Path(model, "model_index.json").read_text()).get(part) or ["", ""])[1]


class Diffusers:
    """In this process: eager or compiled, channels last, as ../shared/bench/bench_diffusers.py."""

    def __init__(self, model, dtype, compiled=False, side=None, repeats=3):
        import diffusers
        import torch
        torch.set_num_threads(CORES)
        self.torch, self.repeats = torch, repeats
        kind = part_class(model, "transformer")
        part = "transformer" if kind else "unet"
        self.denoiser, self.vae = (
            getattr(diffusers, name).from_pretrained(f"{model}/{folder}",
                                                     torch_dtype=getattr(torch, dtype))
            .to(memory_format=torch.channels_last)
            for name, folder in ((kind or "UNet2DConditionModel", part), ("AutoencoderKL", "vae")))
        self.step, self.decode = self.denoiser, self.vae.decoder
        if compiled:
            self.step = torch.compile(self.denoiser, dynamic=False)
            self.decode = torch.compile(self.vae.decoder, dynamic=False)
        channels = self.vae.config.latent_channels
        scale = 2 ** (len(self.vae.config.block_out_channels) - 1)
        size = side // scale if side else self.denoiser.config.sample_size

        def random(*shape):
            return torch.randn(shape).to(getattr(torch, dtype))

        self.latent = random(1, channels, size, size)
        self.inputs = INPUTS[kind or "UNet2DConditionModel"](self.denoiser.config, size, random)

    def measure(self, decode=True):
        with self.torch.no_grad():
            found = {"unet_step": median_times(
                lambda: self.step(**self.inputs, return_dict=False), self.repeats)}
            if decode:
                latent = self.latent / 5
                if self.vae.post_quant_conv is not None:
                    latent = self.vae.post_quant_conv(latent)
                found["vae_decode"] = median_times(lambda: self.decode(latent), self.repeats)
            return found


def unet_inputs(config, size, random):
    import torch
    inputs = {"sample": random(2, config.in_channels, size, size), "timestep": torch.tensor(500),
              "encoder_hidden_states": random(2, 77, config.cross_attention_dim)}
    if config.addition_embed_type == "text_time":  # SDXL
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        inputs["added_cond_kwargs"] = {"text_embeds": random(2, pooled), "time_ids": random(2, 6)}
    return inputs


def flux_inputs(config, size, random):
    import torch
    side, words = size // 2, 512
    places = torch.zeros(side, side, 3)
    places[..., 1] += torch.arange(side)[:, None]
    places[..., 2] += torch.arange(side)[None, :]
    return {"hidden_states": random(1, side * side, config.in_channels),
            "encoder_hidden_states": random(1, words, config.joint_attention_dim),
            "pooled_projections": random(1, config.pooled_projection_dim),
            "timestep": torch.tensor([0.5]), "img_ids": places.reshape(-1, 3),
            "txt_ids": torch.zeros(words, 3),
            "guidance": torch.tensor([3.5]) if config.guidance_embeds else None}


INPUTS = {"UNet2DConditionModel": unet_inputs, "FluxTransformer2DModel": flux_inputs}
