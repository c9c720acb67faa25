"""PyPI's openai against a door: what steers a picture, as extension fields."""
import base64
import io
import sys

import openai
from PIL import Image, ImageChops, ImageStat

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


def png_of(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def changed(before, after):
    """How far two pictures are apart, on average, in 255ths."""
    assert before.size == after.size, (before.size, after.size)
    return sum(ImageStat.Stat(ImageChops.difference(before, after)).mean) / 3


# Borders around a picture, which itself stays as it is.
fox = picture(plain)
for borders in ["32,0,16,8", [32, 0, 16, 8]]:
    wider = picture(edit(extend=borders))
    assert wider.size == (fox.width + 48, fox.height + 8), wider.size
    assert ImageChops.difference(wider.crop((32, 0, 32 + fox.width, fox.height)), fox).getbbox() is None
    left = wider.crop((0, 0, 32, fox.height))
    # Painted, and not what the border begins as: the colours of the edge.
    assert any(low < high for low, high in left.resize((32, 1), Image.Resampling.BOX).getextrema()), left.getextrema()

# Half the way up to the picture's own noise and down again comes closer to it than random noise does.
walk = {"num_inference_steps": 12, "sampler": "ddim", "guidance_scale": 1, "strength": 0.5}
back = changed(fox, picture(edit(source_prompt="a red fox", **walk)))
anew = changed(fox, picture(edit(**walk)))
assert 0 < back < 0.75 * anew, (back, anew)
assert picture(edit(inversion={"prompt": "a red fox"}, **walk)).tobytes() == (
    picture(edit(source_prompt="a red fox", **walk)).tobytes())

# The masked region alone, in a picture larger than the model paints.
large = fox.resize((200, 136))
hole = Image.new("RGBA", large.size, "white")
hole.paste((0, 0, 0, 0), (120, 40, 168, 88))
answer = client.images.edit(
    image=("large.png", png_of(large)), mask=("hole.png", png_of(hole)), prompt="a penguin",
    extra_body={"seed": 7, "num_inference_steps": 4, "only_masked": True, "mask_padding": 16})
inside = ImageChops.difference(picture(answer), large).getbbox()
assert picture(answer).size == large.size and inside is not None, picture(answer).size
assert inside[0] >= 120 and inside[1] >= 40 and inside[2] <= 168 and inside[3] <= 88, inside

# Brackets are characters, unless somebody says that they weigh.
def said(prompt, **fields):
    return picture(client.images.generate(prompt=prompt, extra_body={"seed": 7, "num_inference_steps": 4} | fields))


weighted = said("a (red:1.4) fox", prompt_syntax="weighted")
assert changed(weighted, said("a (red:1.4) fox")) > 0
assert changed(weighted, fox) > 0
assert changed(said("a (red:1.0) fox", prompt_syntax="weighted"), fox) == 0

# The same bytes, file and all.
first, again = (draw(reproducible=True).data[0].b64_json for _ in range(2))
assert first == again

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
    ({"prompt_syntax": "heavy"}, "prompt_syntax"),
]:
    try:
        draw(**fields)
    except openai.BadRequestError as error:
        assert named in str(error), (fields, error)
    else:
        raise AssertionError(f"taken: {fields}")
for fields, named in [
    ({"extend": "1,2,3"}, "extend"),
    ({"extend": "0,0,0,0"}, "extend"),
    ({"source_prompt": "a fox", "extend": "8,0,0,0"}, "source_prompt"),
    ({"only_masked": True}, "mask"),
]:
    try:
        edit(**fields)
    except openai.BadRequestError as error:
        assert named in str(error), (fields, error)
    else:
        raise AssertionError(f"taken: {fields}")
print("openai, steering: ok")
