"""PyPI's webuiapi against a door: what steers a picture, in A1111's words."""
import base64
import io
import sys
from urllib.parse import urlsplit

import webuiapi
from PIL import Image, ImageChops, ImageDraw, ImageStat

address = urlsplit(sys.argv[1])
api = webuiapi.WebUIApi(host=address.hostname, port=address.port, sampler="Euler a", steps=4)


def draw(prompt="a red fox", **fields):
    return api.txt2img(prompt=prompt, seed=7, width=128, height=128, alwayson_scripts={}, **fields)


def post(**fields):
    """What the client has no argument for."""
    body = {"prompt": "a red fox", "seed": 7, "steps": 4, "width": 128, "height": 128}
    return api.session.post(f"{api.baseurl}/txt2img", json=body | fields)


def differs(a, b):
    return ImageChops.difference(a.image.convert("RGB"), b.image.convert("RGB")).getbbox() is not None


plain = draw()
assert not differs(plain, draw())

assert "cyanotype" in [lora["name"] for lora in api.get_loras()]
assert differs(plain, draw("a red fox <lora:cyanotype:0.8>"))
assert differs(plain, draw("a (red:1.4) fox"))
assert differs(plain, draw(subseed=9, subseed_strength=0.3))

assert api.controlnet_model_list() == ["canny"], api.controlnet_model_list()
unit = {"module": "canny", "model": "canny"}
assert differs(plain, draw(controlnet_units=[webuiapi.ControlNetUnit(image=plain.image, **unit)]))
# A unit that has no picture, which the client says by "", follows that of img2img.
followed = api.img2img(
    images=[plain.image],
    prompt="a wolf",
    seed=7,
    width=128,
    height=128,
    controlnet_units=[webuiapi.ControlNetUnit(**unit)],
)
assert followed.image.size == (128, 128)

mask = Image.new("L", (128, 128))
ImageDraw.Draw(mask).rectangle((32, 32, 95, 95), fill=255)
painted = api.img2img(
    images=[plain.image], mask_image=mask, prompt="a bear", seed=7, mask_blur=0, inpainting_fill=1, width=128, height=128
)
changed = ImageChops.difference(plain.image.convert("RGB"), painted.image.convert("RGB")).getbbox()
assert changed is not None and changed[0] >= 32 and changed[1] >= 32 and changed[2] <= 96 and changed[3] <= 96, changed

# The masked region at the model's own size, in a picture that is larger: the client's default.
large = plain.image.convert("RGB").resize((200, 136))
small = Image.new("L", large.size)
ImageDraw.Draw(small).rectangle((120, 40, 167, 87), fill=255)
put_back = api.img2img(
    images=[large], mask_image=small, prompt="a bear", seed=7, mask_blur=0, inpainting_fill=1, width=128, height=128,
    inpaint_full_res=True, inpaint_full_res_padding=16, denoising_strength=1,
).image.convert("RGB")
assert put_back.size == large.size, put_back.size
changed = ImageChops.difference(large, put_back).getbbox()
assert changed is not None and changed[0] >= 120 and changed[1] >= 40 and changed[2] <= 168 and changed[3] <= 88, changed
# Of the whole picture, the result is what was asked for, and all of it fits in there.
whole = api.img2img(
    images=[large], mask_image=small, prompt="a bear", seed=7, mask_blur=0, width=128, height=128, inpaint_full_res=False
)
assert whole.image.size == (128, 128), whole.image.size
told = whole.info["extra_generation_params"]
assert told["Masked content"] == "fill" and "Inpaint area" not in told, told


def start(**fields):
    """An img2img with what the client has no argument for."""
    body = {"init_images": [webuiapi.b64_img(plain.image)], "prompt": "a red fox", "seed": 7, "steps": 12,
            "sampler_name": "DDIM", "cfg_scale": 1, "denoising_strength": 0.5, "width": 128, "height": 128}
    return api.session.post(f"{api.baseurl}/img2img", json=body | fields)


def pixels(answer):
    assert answer.status_code == 200, answer.text[-500:]
    return Image.open(io.BytesIO(base64.b64decode(answer.json()["images"][0]))).convert("RGB")


def distance(image):
    return sum(ImageStat.Stat(ImageChops.difference(image, plain.image.convert("RGB"))).mean)


# Half the way up to the picture's own noise and down again comes closer to it than random noise does.
assert distance(pixels(start(source_prompt="a red fox"))) < 0.75 * distance(pixels(start()))
wider = pixels(start(extend=[32, 0, 16, 0], width=176, steps=2, denoising_strength=1))
assert wider.size == (176, 128), wider.size
assert ImageChops.difference(wider.crop((32, 0, 160, 128)), plain.image.convert("RGB")).getbbox() is None

gated = post(guidance={"text_gate_step": 2})
assert gated.status_code == 200 and "text_gate_step 2" in gated.json()["info"], gated.text[-500:]
assert "Withheld" not in gated.json()["info"]
best = post(best_of=3)
assert best.status_code == 200 and '"score":' in best.json()["info"], best.text[-500:]
for fields, named in [
    ({"s_min_uncond": 0.5}, "s_min_uncond"),
    ({"guidance": {"text_gate_step": 99}}, "text_gate_step"),
    ({"prompt": "a fox <lora:none:1>"}, "none"),
    ({"guidance_rescale": 2}, "guidance_rescale"),
    ({"strength": 0.5}, "denoising_strength"),
    ({"enable_hr": True, "hires": {"factor": 2}}, "enable_hr"),
    ({"hires": {"factor": 9}}, "hires.factor"),
    ({"extend": [8, 0, 8, 0]}, "extend"),
]:
    refused = post(**fields)
    assert refused.status_code == 422 and named in refused.text, (fields, refused.text)
print("webuiapi, steering: ok")
