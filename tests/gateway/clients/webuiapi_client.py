"""PyPI's webuiapi against a door."""
import sys
import threading
from urllib.parse import urlsplit

import webuiapi

address = urlsplit(sys.argv[1])
api = webuiapi.WebUIApi(host=address.hostname, port=address.port, sampler="Euler a", steps=4)
assert api.util_get_model_names() == ["emaki"], api.util_get_model_names()
assert "DPM++ 2M" in [sampler["name"] for sampler in api.get_samplers()]
api.util_set_model("emaki", find_closest=False)
assert api.get_options()["sd_model_checkpoint"] == "emaki"

painted = api.txt2img(prompt="a red fox", negative_prompt="blur", seed=7, width=128, height=128, cfg_scale=3, batch_size=2)
assert len(painted.images) == 2 and painted.image.size == (128, 128)
assert painted.info["all_seeds"] == [7, 8], painted.info
assert painted.info["steps"] == 4

assert api.png_info(painted.image).info is not None
# As it came: the client's own copy of a picture has lost its texts.
seen = api.session.post(f"{api.baseurl}/png-info", json={"image": painted.json["images"][0]}).json()
assert "a red fox" in seen["info"] and "Seed: 7" in seen["info"], seen
assert painted.info["infotexts"][0] == seen["info"]
started = api.img2img(images=[painted.image], prompt="in the snow", denoising_strength=0.6, width=128, height=128, seed=7)
assert started.image.size == (128, 128)

for name in ["get_sd_vae", "get_loras", "get_upscalers", "get_schedulers", "get_latent_upscale_modes", "get_embeddings"]:
    if hasattr(api, name):
        getattr(api, name)()
larger = api.txt2img(prompt="a red fox", width=128, height=128, enable_hr=True, hr_scale=2, hr_upscaler="Latent", denoising_strength=0.7)
assert larger.image.size == (256, 256), larger.image.size
# All of them, as A1111's, not a share by the strength.
assert larger.info["extra_generation_params"]["Hires steps"] == 4, larger.info
upscaled = api.extra_single_image(painted.image, upscaler_1="lanczos", upscaling_resize=3)
assert upscaled.image.size == (384, 384), upscaled.image.size

results = []
worker = threading.Thread(
    target=lambda: results.append(api.txt2img(prompt="a red fox", steps=150, width=128, height=128))
)
worker.start()
while True:
    progress = api.get_progress()
    if progress["progress"] > 0 and progress["current_image"]:
        break
    assert worker.is_alive(), "the picture was done before it was interrupted"
api.interrupt()
worker.join()
assert results and results[0].images, "an interrupted picture has no last look"
print("webuiapi: ok")
