"""PyPI's mcp against a door."""
import asyncio
import base64
import io
import json
import sys

from mcp import ClientSession
from PIL import Image, ImageChops, ImageStat

try:
    from mcp.client.streamable_http import streamable_http_client as connect
except ImportError:
    from mcp.client.streamable_http import streamablehttp_client as connect


def picture(result):
    assert not is_error(result), result.content[0].text
    return Image.open(io.BytesIO(base64.b64decode(result.content[0].data))).convert("RGB")


def base64_of(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def is_error(result):
    return getattr(result, "is_error", getattr(result, "isError", None))


async def main(url):
    async with connect(url) as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        assert tools == [
            "generate_image",
            "edit_image",
            "upscale_image",
            "score_images",
            "get_job",
            "list_models",
        ], tools
        seen = []

        async def on_progress(progress, total, message):
            seen.append((progress, total))

        painted = await session.call_tool(
            "generate_image", {"prompt": "a red fox", "num_inference_steps": 8}, progress_callback=on_progress
        )
        picture(painted)
        assert seen and seen[-1][1] == 8, seen
        seen.clear()
        await session.call_tool(
            "generate_image",
            {"prompt": "a red fox", "num_inference_steps": 4, "best_of": 2,
             "hires": {"upscale": "lanczos", "factor": 1.5, "steps": 4, "strength": 0.5, "sampler": "euler"}},
            progress_callback=on_progress,
        )
        # Both pictures that are drawn, and both passes.
        assert seen[-1][1] == 12 and 6 < max(done for done, _ in seen) <= 12, seen
        seen.clear()
        edited = await session.call_tool(
            "edit_image", {"prompt": "in the snow", "image": painted.content[0].data, "num_inference_steps": 4}
        )
        assert edited.content[0].type == "image"
        steered = await session.call_tool(
            "generate_image",
            {
                "prompt": "a red fox",
                "num_inference_steps": 4,
                "loras": "cyanotype:0.8",
                "guidance": {"text_gate_step": 2},
                "controls": [{"name": "canny", "image": painted.content[0].data, "preprocessor": "canny"}],
            },
        )
        assert "text_gate_step 2" in steered.content[1].text, steered.content[-1]
        fox = picture(painted)
        enlarged = await session.call_tool(
            "upscale_image",
            {"image": painted.content[0].data, "upscaler": "lanczos", "factor": 3, "output_format": "webp"},
            progress_callback=on_progress,
        )
        file = Image.open(io.BytesIO(base64.b64decode(enlarged.content[0].data)))
        assert file.format == "WEBP" and 0 < seen[-1][0] <= seen[-1][1], (file.format, seen)
        assert picture(enlarged).size == (3 * fox.width, 3 * fox.height), picture(enlarged).size
        # A filter makes the picture larger and paints nothing.
        smaller = picture(enlarged).resize(fox.size, Image.Resampling.BOX)
        assert sum(ImageStat.Stat(ImageChops.difference(smaller, fox)).mean) < 9

        scores = []
        for prompt in ["a red fox", "a blue bus in a city"]:
            scored = await session.call_tool(
                "score_images", {"images": [painted.content[0].data] * 2, "prompt": prompt, "model": "emaki"}
            )
            told = [score["score"] for score in json.loads(scored.content[0].text)["scores"]]
            assert len(told) == 2 and told[0] == told[1], told
            scores.append(told[0])
        assert scores[0] > scores[1], scores

        mask = Image.new("L", fox.size)
        mask.paste(255, (32, 32, 96, 96))
        wish = {"prompt": "a penguin", "image": painted.content[0].data, "mask": base64_of(mask), "strength": 1,
                "num_inference_steps": 4}
        for inside, fields in [(True, {}), (False, {"invert_mask": True})]:
            masked = picture(await session.call_tool("edit_image", wish | fields))
            rest = [Image.composite(Image.new("RGB", fox.size), image, mask if inside else ImageChops.invert(mask))
                    for image in (masked, fox)]
            assert ImageChops.difference(*rest).getbbox() is None, f"not the input's own: {fields}"
            assert ImageChops.difference(masked, fox).getbbox(), f"nothing painted: {fields}"
        wider = picture(await session.call_tool("edit_image", {
            "prompt": "a fox", "image": painted.content[0].data, "extend": "32,0,32,0", "num_inference_steps": 2}))
        assert wider.size == (fox.width + 64, fox.height), wider.size
        for tool, arguments, named in [
            ("upscale_image", {"image": painted.content[0].data, "upscaler": "none"}, "none"),
            ("score_images", {"images": ["?"], "prompt": "a fox"}, "images[0]"),
            ("edit_image", wish | {"mask": "?"}, "mask"),
        ]:
            refused = await session.call_tool(tool, arguments)
            assert is_error(refused) and named in refused.content[0].text, refused
        told = json.loads((await session.call_tool("list_models", {})).content[0].text)
        assert any("canny" in model.get("controlnets", []) for model in told["models"]), told["models"]
        names = {kind: [one["name"] for one in told[kind]] for kind in ("loras", "upscalers", "scorers")}
        assert "cyanotype" in names["loras"] and "lanczos" in names["upscalers"], names
        wrong = await session.call_tool("generate_image", {"prompt": "a", "n": 99})
        assert is_error(wrong) and "n 99" in wrong.content[0].text, wrong


asyncio.run(main(f"{sys.argv[1]}/mcp"))
print("mcp: ok")
