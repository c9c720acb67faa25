#!/usr/bin/env python3
"""One guided step and one decode, Genzo against OpenVINO and diffusers (eager), on one machine and
one set of weights.

    pair_step_with_openvino.py GENZO_STEP_SPEED MODEL --work FOLDER [--rounds 3] [--busy]
        [--types float32,bfloat16,float16]

Static shapes, as many threads as this process may have cores on all sides, every type of each that
the processor has; rounds are interleaved, so that a slow minute meets all. A picture is 20 steps
and a decode. --busy repeats it beside one process that spins. FOLDER keeps the networks of one
model as OpenVINO has them; those of another are made anew. Needs torch, diffusers and openvino.
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
TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}  # as OpenVINO calls them
SIDES = ("Genzo", "OpenVINO", "diffusers")
CORES = len(os.sched_getaffinity(0))


def convert(model, work):
    """Writes MODEL's U-Net and decoder to `work`, for a guided image."""
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


def identity(model):
    """What tells a model's networks from those of another, or of the same before it was changed."""
    files = sorted(path for part in ("unet", "vae") for path in Path(model, part).iterdir())
    return [str(Path(model).resolve()),
            *([str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in files)]


def have_converted(model, work):
    """The networks of `model` in `work`, which may have another's."""
    work.mkdir(parents=True, exist_ok=True)
    mark, wanted = work / "model.json", json.dumps(identity(model))
    if mark.exists() and mark.read_text() == wanted:
        return
    mark.unlink(missing_ok=True)
    # In a process of its own, whose memory is then free again.
    subprocess.run([sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]);"
                    "from pathlib import Path; import pair_step_with_openvino as pair;"
                    "pair.convert(sys.argv[2], Path(sys.argv[3]))",
                    Path(__file__).parent, model, work], check=True)
    mark.write_text(wanted)


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


class OpenVino:
    """One type's networks, compiled for latency. ValueError if the processor has not that type, for
    which OpenVINO would take another."""

    def __init__(self, work, precision):
        import numpy
        import openvino
        core = openvino.Core()
        self.requests = {}
        for what in ("unet_step", "vae_decode"):
            compiled = core.compile_model(str(work / f"{what}.xml"), "CPU", {
                "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": CORES,
                "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"})
            taken = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
            if taken != precision:
                raise ValueError(f"OpenVINO takes {taken} for {precision} here")
            random = numpy.random.default_rng(0)
            inputs = [random.standard_normal(list(port.shape), dtype=numpy.float32)
                      for port in compiled.inputs]
            self.requests[what] = compiled.create_infer_request(), inputs

    def measure(self):
        """{what: (seconds, core-seconds)}, medians."""
        return {what: median_times(lambda: request.infer(inputs))
                for what, (request, inputs) in self.requests.items()}


def diffusers(model, dtype):
    """The same of diffusers in this process, eager, channels last; loaded anew each time, as its
    weights of all types beside OpenVINO's would not fit."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    torch.set_num_threads(CORES)
    type_ = getattr(torch, dtype)
    unet, vae = (kind.from_pretrained(f"{model}/{part}", torch_dtype=type_)
                 .to(memory_format=torch.channels_last)
                 for kind, part in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae")))
    side = unet.config.sample_size
    sample = torch.randn(2, unet.config.in_channels, side, side).to(type_)
    context = torch.randn(2, 77, unet.config.cross_attention_dim).to(type_)
    with torch.inference_mode():
        return {"unet_step": median_times(lambda: unet(
                    sample, torch.tensor(500), encoder_hidden_states=context, return_dict=False)),
                "vae_decode": median_times(
                    lambda: vae.decoder(vae.post_quant_conv(sample[:1] / 5)))}


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
        for dtype in arguments.types:
            sides = {f"Genzo {dtype}": genzo(arguments.program, arguments.model, dtype)}
            if dtype in theirs:
                sides[f"OpenVINO {dtype}"] = theirs[dtype].measure()
            sides[f"diffusers {dtype}"] = diffusers(arguments.model, dtype)
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
        best = {name: min((side for side in sides if side.startswith(name)), default=None,
                          key=lambda side: medians[side][0]) for name in SIDES}
        for other in filter(None, (best[name] for name in SIDES[1:])):
            ratio = statistics.median(a[0] / b[0] for a, b in
                                      zip(sides[best["Genzo"]], sides[other]))
            print(f"  {best['Genzo']} / {other}: {ratio:.2f}", flush=True)


def types(text):
    names = text.split(",")
    unknown = [name for name in names if name not in TYPES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(TYPES)}")
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--types", default=",".join(TYPES), type=types, help="of all sides")
    parser.add_argument("--busy", action="store_true")
    arguments = parser.parse_args()
    have_converted(arguments.model, arguments.work)
    theirs = {}
    for dtype in arguments.types:
        try:
            theirs[dtype] = OpenVino(arguments.work, TYPES[dtype])
        except (RuntimeError, ValueError) as error:
            print(f"OpenVINO {dtype}: left out: {str(error).splitlines()[-1]}", flush=True)
    show("idle", rounds(arguments, theirs))
    if arguments.busy:
        spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            show("beside one that spins", rounds(arguments, theirs))
        finally:
            spinner.kill()


if __name__ == "__main__":
    main()
