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
import statistics
import subprocess
import sys
from pathlib import Path

from step_times import CORES, Diffusers, genzo, median_times

STEPS = 20
TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}  # as OpenVINO calls them
SIDES = ("Genzo", "OpenVINO", "diffusers")


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


def with_picture(measured):
    step, decode = measured["unet_step"], measured["vae_decode"]
    return measured | {"picture": tuple(STEPS * a + b for a, b in zip(step, decode))}


def rounds(arguments, theirs):
    """{what: {side and type: [(seconds, core-seconds), one a round]}}"""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for _ in range(arguments.rounds):
        for dtype in arguments.types:
            sides = {f"Genzo {dtype}": genzo(arguments.program, arguments.model, dtype,
                                             ["--repeats", "3"])[0]}
            if dtype in theirs:
                sides[f"OpenVINO {dtype}"] = theirs[dtype].measure()
            # Loaded anew each time: of all types, beside OpenVINO's, it would not fit.
            sides[f"diffusers {dtype}"] = Diffusers(arguments.model, dtype).measure()
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
