"""PyPI's openai against a door: whole, streamed, edits, errors, retries."""
import base64
import io
import json
import sys

import openai
from openai.types import ImagesResponse
from PIL import Image

base = sys.argv[1]
client = openai.OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=2)


def picture(data):
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    image.load()
    return image


def png_of(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


models = [model.id for model in client.models.list()]
assert "emaki" in models and "gpt-image-1" in models, models
assert client.models.retrieve("emaki").id == "emaki"

whole = client.images.generate(model="gpt-image-1", prompt="a red fox", n=2, extra_body={"seed": 7, "num_inference_steps": 4})
assert len(whole.data) == 2, whole
first = picture(whole.data[0].b64_json)
assert whole.size == f"{first.width}x{first.height}", whole.size
assert whole.usage.output_tokens == 8, whole.usage

again = client.images.generate(model="emaki", prompt="a red fox", extra_body={"seed": 7, "num_inference_steps": 4})
assert again.data[0].b64_json == whole.data[0].b64_json, "the same seed gave another picture"

linked = client.images.generate(prompt="a red fox", response_format="url", extra_body={"num_inference_steps": 2})
import urllib.request

with urllib.request.urlopen(linked.data[0].url) as response:
    assert response.headers["content-type"] == "image/png"
    Image.open(io.BytesIO(response.read())).load()

# Code of dall-e's time reads links.
old = client.images.generate(model="dall-e-2", prompt="a red fox", extra_body={"num_inference_steps": 2})
assert old.data[0].url and old.data[0].b64_json is None, old

kinds, indices = [], []
for event in client.images.generate(
    model="emaki", prompt="a red fox", stream=True, partial_images=3, extra_body={"seed": 7, "num_inference_steps": 8}
):
    kinds.append(event.type)
    picture(event.b64_json)
    if event.type == "image_generation.partial_image":
        indices.append(event.partial_image_index)
# Of previews, a reader gets the newest; some may be overtaken.
assert kinds[-1] == "image_generation.completed", kinds
assert indices and indices == sorted({i for i in indices if i < 3}), indices
assert event.usage.output_tokens == 8

png = io.BytesIO()
first.save(png, "PNG")
edited = client.images.edit(
    model="emaki", image=("fox.png", png.getvalue(), "image/png"), prompt="in the snow", extra_body={"num_inference_steps": 4}
)
picture(edited.data[0].b64_json)
kinds = [
    event.type
    for event in client.images.edit(
        model="emaki",
        image=[("fox.png", png.getvalue(), "image/png")],
        prompt="in the snow",
        stream=True,
        partial_images=1,
        extra_body={"num_inference_steps": 6},
    )
]
assert kinds[-1] == "image_edit.completed", kinds
varied = client.images.create_variation(image=("fox.png", png.getvalue(), "image/png"), model="emaki")
picture(varied.data[0].b64_json)


# A path that OpenAI does not have.
def enlarging(cast_to=ImagesResponse, **fields):
    return client.post(
        "/images/upscales",
        cast_to=cast_to,
        files={"image": ("fox.png", png.getvalue())},
        body={"upscaler": "lanczos", **fields},
        options={"headers": {"content-type": "multipart/form-data"}},
    )


def enlarged(**fields):
    return picture(enlarging(**fields).data[0].b64_json)


events = [json.loads(line[6:]) for line in enlarging(cast_to=str, factor=2, stream=True).splitlines()
          if line.startswith("data: ")]
assert [event["type"] for event in events][-2:] == ["image_upscale.progress", "image_upscale.completed"], events
assert events[-2]["tiles_done"] == events[-2]["tiles"], events[-2]
assert picture(events[-1]["b64_json"]).width == 2 * first.width
assert enlarged(factor=2).size == (2 * first.width, 2 * first.height)
try:
    enlarged(size="9000x64")
    raise SystemExit("a size over the limit was taken")
except openai.BadRequestError as error:
    assert error.param == "size" and "9000" in error.message, error

for arguments, param in [
    ({"n": 99}, "n"),
    ({"size": "60x60"}, "size"),
    ({"extra_body": {"num_inference_steps": 100000}}, "num_inference_steps"),
    ({"extra_body": {"loras": [1]}}, "loras[0]"),
]:
    try:
        client.images.generate(prompt="a red fox", **arguments)
        raise SystemExit(f"{arguments} was taken")
    except openai.BadRequestError as error:
        assert error.param == param, (arguments, error)
        assert error.request_id, error
try:
    client.images.generate(prompt="a red fox", model="none")
    raise SystemExit("an unknown model was taken")
except openai.NotFoundError as error:
    assert error.code == "model_not_found", error
opaque = Image.open(io.BytesIO(png.getvalue())).convert("RGBA")
try:
    client.images.edit(
        image=("a.png", png.getvalue()), mask=("m.png", png_of(opaque)),
        prompt="x", model="emaki")
    raise SystemExit("a mask without a hole was taken")
except openai.BadRequestError as error:
    assert error.param == "mask" and "nothing" in error.message, error
    assert "mask_is_transparency" in error.message, error
# What is transparent is painted anew; the rest stays the input's own.
opaque.paste((0, 0, 0, 0), (0, 0, opaque.width // 2, opaque.height))
answer = client.images.edit(
    image=("a.png", png.getvalue()), mask=("m.png", png_of(opaque)),
    prompt="a penguin", model="emaki", response_format="b64_json")
edited = Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json)))
kept = (opaque.width // 2, 0, opaque.width, opaque.height)
original = Image.open(io.BytesIO(png.getvalue())).convert("RGB")
assert edited.convert("RGB").crop(kept).tobytes() == (
    original.crop(kept).tobytes())
assert edited.convert("RGB").tobytes() != original.tobytes()
print("openai (Python): ok")
