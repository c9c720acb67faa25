"""What a guided step and a decode take of Genzo and of diffusers, for scripts that pair them with
others. Times are medians as (seconds, core-seconds), of {"unet_step", "vae_decode"}."""

import json
import os
import resource
import statistics
import subprocess
import time

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
    output = subprocess.run([program, model, "--dtype", dtype, "--rows", "2", *extra],
                            check=True, capture_output=True, text=True, env=env).stdout
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {row["what"]: (row["seconds"], row["cpu_seconds"]) for row in rows}, output


class Diffusers:
    """In this process: eager or compiled, channels last, as ../shared/bench/bench_diffusers.py."""

    def __init__(self, model, dtype, compiled=False):
        import torch
        from diffusers import AutoencoderKL, UNet2DConditionModel
        torch.set_num_threads(CORES)
        self.torch, type_ = torch, getattr(torch, dtype)
        self.unet, self.vae = (
            kind.from_pretrained(f"{model}/{part}", torch_dtype=type_)
            .to(memory_format=torch.channels_last)
            for kind, part in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae")))
        self.step, self.decode = self.unet, self.vae.decoder
        if compiled:
            self.step = torch.compile(self.unet, dynamic=False)
            self.decode = torch.compile(self.vae.decoder, dynamic=False)
        side = self.unet.config.sample_size
        self.sample = torch.randn(2, self.unet.config.in_channels, side, side).to(type_)
        self.context = torch.randn(2, 77, self.unet.config.cross_attention_dim).to(type_)

    def measure(self):
        with self.torch.no_grad():
            return {"unet_step": median_times(lambda: self.step(
                        self.sample, self.torch.tensor(500), encoder_hidden_states=self.context,
                        return_dict=False)),
                    "vae_decode": median_times(
                        lambda: self.decode(self.vae.post_quant_conv(self.sample[:1] / 5)))}
