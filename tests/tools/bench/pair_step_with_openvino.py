#!/usr/bin/env python3
"""One guided step and one decode, Genzo against OpenVINO, on one machine and one set of weights.

    pair_step_with_openvino.py GENZO_STEP_SPEED MODEL --work FOLDER [--rounds 3] [--busy]

Static shapes, as many threads as cores on both sides, every type of each; rounds are interleaved,
so that a slow minute meets all. A picture is 20 steps and a decode. --busy repeats it beside one
process that spins. FOLDER keeps the networks as OpenVINO has them. Needs torch, diffusers and
openvino.
"""

import argparse
import collections
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

STEPS = 20
TYPES = {"float32": "f32", "bfloat16": "bf16"}


def convert(model, work):
    """Writes MODEL's U-Net and decoder to `work`, unless they are there, for a guided image."""
    import diffusers
    import openvino
    import torch

    class UNet(torch.nn.Module):
        def __init__(self, unet):
            super().__init__()
            self.unet = unet

        def forward(self, sample, time, context):
            return self.unet(sample, time, encoder_hidden_states=context, return_dict=False)[0]

    class Decoder(torch.nn.Module):
        def __init__(self, vae):
            super().__init__()
            self.vae = vae

        def forward(self, latent):
            return self.vae.decoder(self.vae.post_quant_conv(latent))

    def write(network, example, path):
        with torch.no_grad():
            converted = openvino.convert_model(network.eval(), example_input=example)
        converted.reshape({port: list(tensor.shape)
                           for port, tensor in zip(converted.inputs, example)})
        openvino.save_model(converted, path, compress_to_fp16=False)

    unet = diffusers.UNet2DConditionModel.from_pretrained(f"{model}/unet").float()
    config = unet.config
    sample = torch.randn(2, config.in_channels, config.sample_size, config.sample_size)
    context = torch.randn(2, 77, config.cross_attention_dim)
    write(UNet(unet), (sample, torch.tensor([500.0]), context), work / "unet_step.xml")
    vae = diffusers.AutoencoderKL.from_pretrained(f"{model}/vae").float()
    write(Decoder(vae), (sample[:1] / 5,), work / "vae_decode.xml")


class OpenVino:
    """One type's networks, compiled for latency."""

    def __init__(self, work, precision):
        import numpy
        import openvino
        core = openvino.Core()
        self.requests = {}
        for what in ("unet_step", "vae_decode"):
            compiled = core.compile_model(str(work / f"{what}.xml"), "CPU", {
                "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": os.cpu_count(),
                "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"})
            random = numpy.random.default_rng(0)
            inputs = [random.standard_normal(list(port.shape), dtype=numpy.float32)
                      for port in compiled.inputs]
            self.requests[what] = compiled.create_infer_request(), inputs

    def measure(self, repeats=3):
        """{what: (seconds, core-seconds)}, medians."""
        measured = {}
        for what, (request, inputs) in self.requests.items():
            request.infer(inputs)
            wall, cores = [], []
            for _ in range(repeats):
                begin, begin_cores = time.perf_counter(), core_seconds()
                request.infer(inputs)
                wall.append(time.perf_counter() - begin)
                cores.append(core_seconds() - begin_cores)
            measured[what] = statistics.median(wall), statistics.median(cores)
        return measured


def core_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def genzo(program, model, dtype):
    output = subprocess.run([program, model, "--dtype", dtype, "--rows", "2", "--repeats", "3"],
                            check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {row["what"]: (row["seconds"], row["cpu_seconds"]) for row in rows}


def with_picture(measured):
    step, decode = measured["unet_step"], measured["vae_decode"]
    return measured | {"picture": tuple(STEPS * a + b for a, b in zip(step, decode))}


def rounds(arguments, theirs):
    """{what: {side and type: [(seconds, core-seconds), one a round]}}"""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for _ in range(arguments.rounds):
        for dtype, networks in theirs.items():
            sides = {f"Genzo {dtype}": genzo(arguments.program, arguments.model, dtype),
                     f"OpenVINO {dtype}": networks.measure()}
            for side, measured in sides.items():
                for what, pair in with_picture(measured).items():
                    found[what][side].append(pair)
    return found


def show(title, found):
    for what, sides in found.items():
        print(f"{title}, {what}:")
        medians = {side: [statistics.median(column) for column in zip(*pairs)]
                   for side, pairs in sides.items()}
        for side, (seconds, cores) in medians.items():
            print(f"  {side}: {seconds:.4f} s, {cores:.4f} core-seconds")
        best = {name: min((side for side in sides if side.startswith(name)),
                          key=lambda side: medians[side][0]) for name in ("Genzo", "OpenVINO")}
        ratio = statistics.median(a[0] / b[0] for a, b in
                                  zip(sides[best["Genzo"]], sides[best["OpenVINO"]]))
        print(f"  {best['Genzo']} / {best['OpenVINO']}: {ratio:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--types", default=",".join(TYPES), help="of both sides")
    parser.add_argument("--busy", action="store_true")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if not (arguments.work / "vae_decode.xml").exists():
        # In a process of its own, whose memory is then free again.
        subprocess.run([sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]);"
                        "from pathlib import Path; import pair_step_with_openvino as pair;"
                        "pair.convert(sys.argv[2], Path(sys.argv[3]))",
                        Path(__file__).parent, arguments.model, arguments.work], check=True)
    theirs = {dtype: OpenVino(arguments.work, TYPES[dtype])
              for dtype in arguments.types.split(",")}
    show("idle", rounds(arguments, theirs))
    if arguments.busy:
        spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            show("beside one that spins", rounds(arguments, theirs))
        finally:
            spinner.kill()


if __name__ == "__main__":
    main()
