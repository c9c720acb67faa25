"""Two tiny DPT depth estimators with random weights and what transformers computes with them.

    python make_dpt.py FOLDER
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import DPTConfig, DPTForDepthEstimation

COMMON = dict(
    hidden_size=16,
    num_hidden_layers=4,
    num_attention_heads=2,
    intermediate_size=24,
    fusion_hidden_size=8,
    backbone_out_indices=[0, 1, 2, 3],
    patch_size=16,
)
KINDS = {
    "plain": dict(
        image_size=64, neck_hidden_sizes=[4, 6, 8, 8], reassemble_factors=[4, 2, 1, 0.5]
    ),
    "hybrid": dict(
        image_size=64,
        is_hybrid=True,
        neck_hidden_sizes=[8, 16, 8, 8],
        reassemble_factors=[1, 1, 1, 0.5],
        backbone_featmap_shape=[1, 24, 4, 4],
        backbone_config=dict(
            model_type="bit",
            global_padding="same",
            layer_type="bottleneck",
            depths=[1, 2, 1],
            hidden_sizes=[8, 16, 24],
            embedding_size=8,
            num_groups=4,
            out_features=["stage1", "stage2", "stage3"],
            embedding_dynamic_padding=True,
        ),
    ),
}

for kind, options in KINDS.items():
    torch.manual_seed(1)
    config = DPTConfig(**COMMON, **options)
    model = DPTForDepthEstimation(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        # So that the last activation lets something through.
        model.head.head[4].bias.fill_(3)
        pixels = torch.rand(1, 3, 64, 64) * 2 - 1
        depth = model(pixels).predicted_depth
    folder = Path(sys.argv[1]) / kind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**COMMON, **options}, indent=1) + "\n")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    save_file({"pixels": pixels, "depth": depth.unsqueeze(1)}, folder / "golden.safetensors")
    print(kind, depth.shape, depth.min(), depth.max(), depth.std(), len(model.state_dict()))
