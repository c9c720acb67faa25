#!/usr/bin/env python3
"""Cuts the subset of the reference goldens that the tests need offline.

    tests/data/cut_reference.py ../shared/reference tests/data/reference

Copies the tiny sd1 model, the text-to-image cases of the samplers that Genzo
has, those samplers' own cases, the tiny flux-dev model with two of its cases
and the SD3.5 transformer, unchanged. A large file that another model has too is
a link to that; tokenizers.json loses the tokenizers whose files are not copied.
"""

import json
import os
import pathlib
import shutil
import sys

MODEL_FOLDERS = [
    "models/sd1",
    "models/sd2-base/tokenizer",
    "models/flux-dev",
    "models/sd3/tokenizer_3",
    "models/sd35-transformer",
]
# Tokenizers in another form, which nobody reads.
LEFT_OUT = "tokenizer.json"
MORE_CASES = ["flux-dev-txt2img", "flux-dev-true-cfg"]
LARGE_BYTES = 100_000
# Whose text-to-image cases are copied as well.
SCHEDULERS = [
    "DDIMScheduler",
    "PNDMScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
]
# Whose own cases are copied, which are small.
OTHER_SCHEDULERS = [
    "DDIMInverseScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "FlowMatchEulerDiscreteScheduler",
    "FlowMatchHeunDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "ScoreSdeVeScheduler",
    "ScoreSdeVpScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
]


def wanted(manifest):
    if manifest["name"] in MORE_CASES:
        return True
    if manifest.get("model") != "models/sd1":
        return False
    if manifest["kind"] == "vae-round-trip":
        return True
    return (
        manifest["kind"] == "pipeline"
        and manifest["pipeline"] == "StableDiffusionPipeline"
        and manifest["lora"] is None
        and manifest["scheduler"]["class"] in SCHEDULERS
    )


def copy_pair(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".json", ".safetensors"):
        shutil.copyfile(source.with_suffix(suffix), target.with_suffix(suffix))


def link_copies(folders):
    """Leaves one of several files with the same bytes, the first."""
    seen = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_dir() or path.stat().st_size < LARGE_BYTES:
                continue
            first = seen.setdefault(path.read_bytes(), path)
            if first != path:
                path.unlink()
                path.symlink_to(os.path.relpath(first, path.parent))


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    for folder in MODEL_FOLDERS:
        shutil.copytree(
            source / folder,
            target / folder,
            copy_function=shutil.copyfile,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(LEFT_OUT),
        )
    link_copies([target / folder for folder in MODEL_FOLDERS])
    goldens = source / "goldens"
    for path in sorted(goldens.glob("*.json")):
        manifest = json.loads(path.read_text())
        if "kind" in manifest and wanted(manifest):
            copy_pair(path, target / "goldens" / path.name)
    for name in SCHEDULERS + OTHER_SCHEDULERS + ["beta-tables"]:
        copy_pair(
            goldens / "schedulers" / f"{name}.json",
            target / "goldens" / "schedulers" / f"{name}.json",
        )
    tokenizers = json.loads((goldens / "tokenizers.json").read_text())
    kept = {k: v for k, v in tokenizers.items() if (target / k).is_dir()}
    (target / "goldens" / "tokenizers.json").write_text(
        json.dumps(kept, ensure_ascii=True) + "\n"
    )


if __name__ == "__main__":
    main()
