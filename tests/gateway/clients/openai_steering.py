"""PyPI's openai against a door: what steers a picture, as extension fields."""
import base64
import io
import sys

import openai
from PIL import Image, ImageChops

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="none", max_retries=0)


def draw(**fields):
    steering = {"seed": 7, "num_inference_steps": 4} | fields
    return client.images.generate(model="emaki", prompt="a red fox", extra_body=steering)


def picture(answer, index=0):
    return Image.open(io.BytesIO(base64.b64decode(answer.data[index].b64_json))).convert("RGB")


plain = draw()
for fields in [
    {"loras": "cyanotype:0.8"},
    {"loras": [{"name": "cyanotype", "weight": 0.8, "end": 0.5, "block_weights": [{"block": "mid_block", "weight": 0}]}]},
    {"controls": [{"name": "canny", "image": plain.data[0].b64_json, "preprocessor": "canny"}]},
    {"guidance": {"start": 0.5}},
    {"guidance": {"perturbed_attention_scale": 3}},
    {"variation": {"seed": 3, "strength": 0.2}},
    {"watermark": True},
    {"upscaler": "lanczos"},
    {"hires": {"factor": 2, "upscale": "UPSCALE_LANCZOS"}},
]:
    answer = picture(draw(**fields))
    drawn = picture(plain)
    assert answer.size != drawn.size or ImageChops.difference(answer, drawn).getbbox(), f"without effect: {fields}"

# A form has what is nested in pieces.
def edit(**fields):
    return client.images.edit(image=("fox.png", base64.b64decode(plain.data[0].b64_json)), prompt="a red fox",
                              extra_body={"seed": 7, "num_inference_steps": 4} | fields)


unsteered = picture(edit())
for fields in [
    {"loras": [{"name": "cyanotype", "weight": 0.8}]},
    {"loras": [{"name": "cyanotype", "weight": 0.4}, {"name": "cyanotype", "weight": 0.4}]},
    {"controls": [{"name": "canny", "preprocessor": "canny", "guess_mode": True}]},
    {"guidance": {"start": 0.5}},
]:
    assert ImageChops.difference(picture(edit(**fields)), unsteered).getbbox(), f"without effect: {fields}"

gated = draw(guidance={"text_gate_step": 2}).data[0].model_extra
assert gated["approximations"] == ["text_gate_step 2"], gated
chosen = draw(best_of=3).data[0].model_extra
assert 0 < chosen["score"] < 100, chosen
token = draw(keep_latents=True).data[0].model_extra["latents"]
assert picture(draw(start_latents=token)).size == picture(plain).size
scores = client.post(
    "/score",
    cast_to=object,
    body={"model": "emaki", "prompt": "a red fox", "pictures": [{"data": plain.data[0].b64_json}]},
)
assert scores, scores
for fields, named in [
    ({"loras": "none"}, "none"),
    ({"guidance": {"text_gate_step": 99}}, "text_gate_step"),
    ({"safety": "refuse"}, "safety"),
    ({"gidance": {}}, "gidance"),
]:
    try:
        draw(**fields)
    except openai.BadRequestError as error:
        assert named in str(error), (fields, error)
    else:
        raise AssertionError(f"taken: {fields}")
print("openai, steering: ok")
