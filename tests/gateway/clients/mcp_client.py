"""PyPI's mcp against a door."""
import asyncio
import base64
import io
import sys

from mcp import ClientSession
from PIL import Image

try:
    from mcp.client.streamable_http import streamable_http_client as connect
except ImportError:
    from mcp.client.streamable_http import streamablehttp_client as connect


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
        Image.open(io.BytesIO(base64.b64decode(painted.content[0].data))).load()
        assert seen and seen[-1][1] == 8, seen
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
        assert "emaki" in (await session.call_tool("list_models", {})).content[0].text
        wrong = await session.call_tool("generate_image", {"prompt": "a", "n": 99})
        assert getattr(wrong, "is_error", getattr(wrong, "isError", None)) and "n 99" in wrong.content[0].text, wrong


asyncio.run(main(f"{sys.argv[1]}/mcp"))
print("mcp: ok")
