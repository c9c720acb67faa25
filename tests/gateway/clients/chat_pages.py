"""What Open WebUI and SillyTavern send, in the order in which they send it.

Read in open-webui's backend/open_webui/routers/images.py and SillyTavern's
src/endpoints/stable-diffusion.js; neither can be had as a package.
"""
import base64
import io
import sys
import threading

import requests
from PIL import Image

base = sys.argv[1]
# Both have a field for a name and a password, and send it when it is empty too.
basic = {"Authorization": "Basic " + base64.b64encode(b":").decode()}


def ask(method, path, status=200, **arguments):
    answer = requests.request(method, base + path, timeout=60, **arguments)
    assert answer.status_code == status, (path, answer.status_code, answer.text)
    return answer.json()


def picture(data):
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    image.load()
    return image


def open_webui_as_openai():
    key = {"Authorization": "Bearer none", "Content-Type": "application/json"}
    body = {"prompt": "a red fox", "n": 1, "size": "128x128"}
    # It wants a format of all models but gpt-image's; older ones wanted none with an API version.
    for query, more in (
        ("", {"model": "dall-e-2", "response_format": "b64_json"}),
        ("?api-version=1", {"model": "gpt-image-1"}),
        ("?api-version=1", {"model": "dall-e-2"}),
    ):
        answer = ask("POST", "/v1/images/generations" + query, json={**body, **more}, headers=key)
        # A link is followed with the key, where there is one.
        [shown] = answer["data"]
        assert ("url" in shown) == (more == {"model": "dall-e-2"}), shown.keys()
        if "url" in shown:
            linked = requests.get(shown["url"], headers=key, timeout=60)
            assert linked.headers["content-type"] == "image/png", linked.headers
            shown["b64_json"] = base64.b64encode(linked.content).decode()
        assert picture(shown["b64_json"]).size == (128, 128)
    png = io.BytesIO()
    picture(shown["b64_json"]).save(png, "PNG")
    form = {"model": "gpt-image-1", "prompt": "in the snow", "n": "1", "size": "128x128", "response_format": "b64_json"}
    for name in ("image", "image[]"):
        files = [(name, ("a.png", png.getvalue(), "image/png"))]
        edited = ask("POST", "/v1/images/edits", data=form, files=files, headers={"Authorization": "Bearer none"})
        assert picture(edited["data"][0]["b64_json"]).size == (128, 128)


def open_webui_as_a1111():
    options = ask("GET", "/sdapi/v1/options", headers={"authorization": ""})
    models = ask("GET", "/sdapi/v1/sd-models", headers={"authorization": ""})
    options["sd_model_checkpoint"] = models[0]["title"]
    assert models[0]["model_name"], models
    # It sends all of the options back.
    ask("POST", "/sdapi/v1/options", json=options, headers=basic)
    body = {"prompt": "a red fox", "batch_size": 2, "width": 128, "height": 128, "steps": 4, "negative_prompt": "blur"}
    answer = ask("POST", "/sdapi/v1/txt2img", json=body, headers=basic)
    assert [picture(image).size for image in answer["images"]] == [(128, 128)] * 2 and answer["info"]


def silly_tavern():
    def names(path, key):
        return [entry[key] for entry in ask("GET", path, headers=basic)]

    assert "forge_preset" not in ask("GET", "/sdapi/v1/options", headers=basic)
    upscalers = names("/sdapi/v1/upscalers", "name")
    assert upscalers[0] == "None" and "Latent" in names("/sdapi/v1/latent-upscale-modes", "name")
    names("/sdapi/v1/sd-vae", "model_name")
    assert "Euler a" in names("/sdapi/v1/samplers", "name") and names("/sdapi/v1/schedulers", "name")
    ask("POST", "/sdapi/v1/options", json={"sd_model_checkpoint": names("/sdapi/v1/sd-models", "title")[0]}, headers=basic)
    progress = ask("GET", "/sdapi/v1/progress", headers=basic)
    assert progress["progress"] == 0 and progress["state"]["job_count"] == 0, progress
    body = {
        "url": base, "auth": ":", "prompt": "a red fox", "negative_prompt": "", "sampler_name": "Euler a",
        "scheduler": "normal", "steps": 4, "cfg_scale": 7, "width": 128, "height": 128, "restore_faces": False,
        "enable_hr": False, "hr_upscaler": "Latent", "hr_scale": 1.5, "hr_additional_modules": [],
        "denoising_strength": 0.7, "hr_second_pass_steps": 0, "clip_skip": 1, "save_images": True,
        "send_images": True, "do_not_save_grid": False, "do_not_save_samples": False,
        "override_settings": {"CLIP_stop_at_last_layers": 1}, "override_settings_restore_afterwards": True,
    }
    answer = ask("POST", "/sdapi/v1/txt2img", json=body, headers=basic)
    assert picture(answer["images"][0]).size == (128, 128)
    larger = ask("POST", "/sdapi/v1/txt2img", json={**body, "enable_hr": True}, headers=basic)
    assert picture(larger["images"][0]).size == (192, 192)
    # Whoever leaves in mid-picture has it interrupted.
    found = []
    long = {**body, "steps": 150, "width": 256, "height": 256}
    worker = threading.Thread(target=lambda: found.append(ask("POST", "/sdapi/v1/txt2img", json=long, headers=basic)))
    worker.start()
    while not ask("GET", "/sdapi/v1/progress", headers=basic)["current_image"]:
        assert worker.is_alive(), "the picture was done before it was interrupted"
    requests.post(base + "/sdapi/v1/interrupt", headers=basic, timeout=60)
    worker.join()
    assert found and found[0]["images"], "an interrupted picture has no last look"


open_webui_as_openai()
open_webui_as_a1111()
silly_tavern()
print("Open WebUI's and SillyTavern's requests: ok")
