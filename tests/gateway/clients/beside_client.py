"""PyPI's openai, webuiapi and requests against a server with files beside the model and settings of its own.

GENZO_SERVER_PROGRAM names the server, which is started here; without it there is nothing to do.
"""
import base64
import io
import json
import os
import pathlib
import socket
import subprocess
import tempfile

import openai
import requests
import webuiapi
from PIL import Image, ImageChops, ImageFilter, ImageStat

import untrained

CONFIG = """
models: [{id: emaki, path: %s}]
ip_adapters: [ip_adapters]
embeddings: [embeddings]
safety: {policy: "off", checker: checker}
result_cache: {mb: 16}
http: {}
"""
WISH = {"seed": 7, "num_inference_steps": 2}


class Server:
    def __init__(self, program, folder):
        untrained.write_checker(folder / "checker")
        untrained.write_ip_adapter(folder / "ip_adapters")
        untrained.write_embedding(folder / "embeddings", word="waddler", token="penguin")
        (folder / "genzo.yaml").write_text(CONFIG % untrained.EMAKI)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [program, "--config", folder / "genzo.yaml", "--listen", "127.0.0.1:0", "--http", f"127.0.0.1:{self.port}",
             "--log-level", "warning"], stdout=subprocess.PIPE)
        assert self.process.stdout.readline(), "the server did not start"
        self.client = openai.OpenAI(base_url=f"{self.base}/v1", api_key="none", max_retries=0)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()

    def draw(self, prompt="a red fox", **fields):
        return self.client.images.generate(prompt=prompt, extra_body=WISH | fields)

    def job(self, **fields):
        """The events of a job."""
        request = {"prompt": "a red fox", "seed": "7", "steps": 2} | fields
        made = requests.post(f"{self.base}/v1/jobs", json={"request": request}, timeout=60)
        assert made.status_code == 201, made.text
        events = requests.get(f"{self.base}/v1/jobs/{made.json()['id']}/events", timeout=120).text
        return [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: ")]


def picture(answer):
    data = answer if isinstance(answer, str) else answer.data[0].b64_json
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def same(a, b):
    return ImageChops.difference(a, b).getbbox() is None


def detail(image):
    """How much there is between neighbouring pixels."""
    return sum(ImageStat.Stat(image.filter(ImageFilter.FIND_EDGES)).mean)


def image_prompts(server):
    plain = picture(server.draw())
    shown = [base64.b64encode(untrained.ROOT.joinpath("tests/data/pictures", name).read_bytes()).decode()
             for name in ("half_color.jpg", "rgb_png.png")]
    drawn = [picture(server.draw(image_prompts=[{"name": "plain", "image": image, "weight": 1}])) for image in shown]
    assert not same(drawn[0], plain) and not same(*drawn), "the picture is not read"
    assert same(picture(server.draw(image_prompts=[{"name": "plain", "image": shown[0], "weight": 0}])), plain)
    try:
        server.draw(image_prompts=[{"name": "none", "image": shown[0]}])
        raise SystemExit("an unknown adapter was taken")
    except openai.OpenAIError as error:
        assert "none" in str(error), error
    api = webuiapi.WebUIApi(host="127.0.0.1", port=server.port, sampler="DDIM", steps=2)
    assert "plain" in api.controlnet_model_list(), api.controlnet_model_list()
    drawn = [api.txt2img(prompt="a red fox", seed=7, width=128, height=128, cfg_scale=3, controlnet_units=units).image
             for units in ([], [webuiapi.ControlNetUnit(image=plain, module="ip-adapter", model="plain")])]
    assert not same(*(image.convert("RGB") for image in drawn)), "A1111's unit is not read"


def textual_inversion(server):
    known = picture(server.draw("a penguin in the snow", prompt_syntax="weighted"))
    assert same(picture(server.draw("a waddler in the snow", prompt_syntax="weighted")), known)
    assert not same(picture(server.draw("a waddler in the snow")), known), "it is a word where nothing weighs, too"
    api = webuiapi.WebUIApi(host="127.0.0.1", port=server.port, sampler="DDIM", steps=2)
    assert "waddler" in api.get_embeddings()["loaded"], api.get_embeddings()
    drawn = [api.txt2img(prompt=f"a {word} in the snow", seed=7, width=128, height=128, cfg_scale=3).image
             for word in ("waddler", "penguin", "fox")]
    learned, penguin, fox = (image.convert("RGB") for image in drawn)
    assert same(learned, penguin) and not same(learned, fox)


def safety(server):
    plain = server.draw()
    assert "safety" not in plain.data[0].model_extra, plain.data[0].model_extra
    marked = server.draw(safety="mark")
    assert marked.data[0].model_extra["safety"] == "nsfw" and same(picture(marked), picture(plain))
    blurred = server.draw(safety="blur")
    assert blurred.data[0].model_extra["safety"] == "nsfw", blurred.data[0].model_extra
    assert detail(picture(blurred)) < detail(picture(plain)) / 2
    try:
        server.draw(safety="refuse")
        raise SystemExit("a picture came that was to be withheld")
    except openai.BadRequestError as error:
        assert "withheld" in str(error), error
    # Not even a look at it before.
    kinds = []
    try:
        for event in server.client.images.generate(prompt="a red fox", stream=True, partial_images=3,
                                                   extra_body=WISH | {"num_inference_steps": 8, "safety": "refuse"}):
            kinds.append(event.type)
        raise SystemExit(f"a withheld stream ended well: {kinds}")
    except openai.APIError as error:
        assert "withheld" in str(error) and not kinds, (kinds, error)
    events = server.job(safety_policy="SAFETY_POLICY_REFUSE", preview={"every": 1})
    kinds = {kind for event in events for kind in event}
    assert "image_withheld" in kinds and not kinds & {"image", "preview"}, kinds
    assert events[-1]["ended"]["state"] == "JOB_STATE_SUCCEEDED", events[-1]


def result_cache(server):
    # With a format, as the other door asks for it: what is not said is another request.
    asked = {"reproducibility": "REPRODUCIBILITY_REPRODUCIBLE", "output": {"format": "IMAGE_FORMAT_PNG"}}

    def run(**fields):
        events = server.job(**asked, **fields)
        started = next(event["started"] for event in events if "started" in event)
        image = next(event["image"] for event in events if "image" in event)
        return started.get("from_cache", False), image["picture"]["data"], any("progress" in event for event in events)

    cached, painted, progressed = run()
    assert not cached and progressed
    assert run(priority="PRIORITY_LOW") == (True, painted, False)
    assert not run(steps=3)[0], "another request was answered with these pictures"
    # At another door it is the same request, and the same file.
    assert server.draw(reproducible=True).data[0].b64_json == painted


def main():
    program = os.environ.get("GENZO_SERVER_PROGRAM")
    if not program:
        print("skipped beside: GENZO_SERVER_PROGRAM names no server")
        return
    with tempfile.TemporaryDirectory() as folder, Server(program, pathlib.Path(folder)) as server:
        for check in [image_prompts, textual_inversion, safety, result_cache]:
            check(server)
    print("beside the model: ok")


main()
