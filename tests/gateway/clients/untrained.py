"""Files beside the model in the box, too small to mean anything, for tests of what reads them."""
import json
import pathlib
import random
import struct

ROOT = pathlib.Path(__file__).resolve().parents[3]
EMAKI = ROOT / "models/emaki"
STATES, EMBEDDING, TEXT = 8, 6, 256
# A CLIP's vision tower over pictures of 16 x 16 pixels in patches of 8.
TOWER = {
    "hidden_size": STATES, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16,
    "patch_size": 8, "projection_dim": EMBEDDING, "hidden_act": "gelu",
}


def save(path, tensors):
    """A safetensors file of {name: (shape, values)}, in float32."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        piece = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def noise(*shape):
    count = 1
    for side in shape:
        count *= side
    return list(shape), [random.gauss(0, 0.3) for _ in range(count)]


def layer(name, inward, outward):
    return {f"{name}.weight": noise(outward, inward), f"{name}.bias": noise(outward)}


def norm(name, width):
    return {f"{name}.weight": noise(width), f"{name}.bias": noise(width)}


def tower():
    tensors = {
        "vision_model.embeddings.class_embedding": noise(STATES),
        "vision_model.embeddings.patch_embedding.weight": noise(STATES, 3, 8, 8),
        "vision_model.embeddings.position_embedding.weight": noise(5, STATES),
        "visual_projection.weight": noise(EMBEDDING, STATES),
    }
    tensors |= norm("vision_model.pre_layrnorm", STATES) | norm("vision_model.post_layernorm", STATES)
    for i in range(2):
        name = f"vision_model.encoder.layers.{i}"
        tensors |= norm(f"{name}.layer_norm1", STATES) | norm(f"{name}.layer_norm2", STATES)
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"]:
            tensors |= layer(f"{name}.self_attn.{part}", STATES, STATES)
        tensors |= layer(f"{name}.mlp.fc1", STATES, 16) | layer(f"{name}.mlp.fc2", 16, STATES)
    return tensors


def write_checker(folder):
    """A safety checker that marks everything: no cosine is below -2."""
    tensors = tower()
    for kind in ["concept", "special_care"]:
        tensors |= {f"{kind}_embeds": noise(1, EMBEDDING), f"{kind}_embeds_weights": ([1], [-2])}
    save(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(TOWER))


def write_ip_adapter(folder):
    """`plain`, an image prompt adapter of four tokens for the box's U-Net, with its encoder."""
    save(folder / "image_encoder/model.safetensors", tower())
    (folder / "image_encoder/config.json").write_text(json.dumps(TOWER))
    tensors = layer("image_proj.proj", EMBEDDING, 4 * TEXT) | norm("image_proj.norm", TEXT)
    # The widths of its cross-attention, down, up and in the middle.
    for i, width in enumerate([64, 128, 128, 128, 64, 64, 256]):
        for part in ["to_k_ip", "to_v_ip"]:
            tensors[f"ip_adapter.{2 * i + 1}.{part}.weight"] = noise(width, TEXT)
    save(folder / "plain.safetensors", tensors)


def write_embedding(folder, word, token):
    """`word` stands for the vector that the box's encoder has learned for `token`."""
    row = json.loads((EMAKI / "tokenizer/vocab.json").read_text())[f"{token}</w>"]
    with open(EMAKI / "text_encoder/model.safetensors", "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        entry = json.loads(file.read(size))["embeddings.token_embedding.weight"]
        assert entry["dtype"] == "F16" and entry["shape"][1] == TEXT, entry
        file.seek(8 + size + entry["data_offsets"][0] + row * TEXT * 2)
        vector = struct.unpack(f"<{TEXT}e", file.read(TEXT * 2))
    save(folder / f"{word}.safetensors", {"emb_params": ([1, TEXT], vector)})
