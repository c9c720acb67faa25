"""The door's job API without a service behind it: a test says what happens.

Serves the built page with the headers that the door gives it.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import io
import json
from collections import deque
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image, ImageFilter

DIST = Path(__file__).resolve().parents[1] / "dist"
# As in gateway/page.cc.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
MODEL: dict[str, Any] = {
    "id": "emaki",
    "is_default": True,
    "state": "STATE_RESIDENT",
    "tasks": ["TASK_TEXT_TO_IMAGE", "TASK_IMAGE_TO_IMAGE"],
    "limits": {
        "size_multiple": 8,
        "min_side": 64,
        "max_side": 1024,
        "max_pixels": "0",
        "max_steps": 150,
        "max_image_count": 8,
        "max_image_bytes": str(20 << 20),
    },
    "default_width": 128,
    "default_height": 128,
    "samplers": [
        {"sampler": "SAMPLER_DDIM", "schedules": []},
        {
            "sampler": "SAMPLER_DPMPP_2M",
            "schedules": [
                "NOISE_SCHEDULE_KARRAS",
                "NOISE_SCHEDULE_EXPONENTIAL",
            ],
        },
    ],
    "default_sampler": "SAMPLER_DDIM",
    "default_steps": 25,
    "default_guidance_scale": 3,
}


def picture(index: int, done: float, side: int = 128) -> bytes:
    """A PNG file; a scene that clears up as `done` goes to 1."""
    scene = Image.linear_gradient("L").resize((side, side))
    red = scene.point(lambda v: min(255, 90 + v // 2 + 30 * index % 90))
    blue = scene.point(lambda v: max(0, 190 - v // 2 - 40 * index % 120))
    scene = Image.merge("RGB", (red, scene.point(lambda v: v // 2 + 70), blue))
    noise = Image.effect_noise((side, side), 120).convert("RGB")
    noise = noise.filter(ImageFilter.GaussianBlur(2))
    file = io.BytesIO()
    Image.blend(noise, scene, done).save(file, "PNG")
    return file.getvalue()


class MockJob:
    """One job. Its methods are what the service would do next."""

    def __init__(self, door: Door, number: int, request: dict[str, Any]):
        self.door = door
        self.id = f"{number:032x}"
        self.request = request
        self.steps = request.get("steps", 25)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.state = "JOB_STATE_QUEUED"
        self.changed = asyncio.Condition()

    async def tell(self, kind: str, content: dict[str, Any]) -> None:
        event = {
            "job_id": self.id,
            "sequence": str(len(self.events) + 1),
            kind: content,
        }
        async with self.changed:
            self.events.append((kind, event))
            self.changed.notify_all()

    async def queued(self, position: int) -> None:
        await self.tell("queued", {"position": position, "time_left": "8.2s"})

    async def started(self) -> None:
        self.state = "JOB_STATE_RUNNING"
        resolved = {
            "model": "emaki",
            "width": 128,
            "height": 128,
            "guidance_scale": 3,
            "image_count": 1,
            "sampler": "SAMPLER_DDIM",
            "schedule": "NOISE_SCHEDULE_UNSPECIFIED",
            "seed": "1000",
            "on_disconnect": "ON_DISCONNECT_CONTINUE",
            **copy.deepcopy(self.request),
            "steps": self.steps,
            "request_id": "",
        }
        if "image_to_image" in resolved:
            resolved["image_to_image"]["image"] = ""
        if "inpainting" in resolved:
            resolved["inpainting"]["mask"]["data"] = ""
            resolved["inpainting"].setdefault("fill", "FILL_ORIGINAL")
        resolved.setdefault("guidance_rescale", 0)
        resolved["output"] = {
            "format": "IMAGE_FORMAT_UNSPECIFIED",
            "quality": 90,
            "watermark": False,
            **resolved.get("output", {}),
        }
        if "guidance" in resolved:
            resolved["guidance"].setdefault("text_gate_step", 0)
        if "variation" in resolved:
            resolved["variation"].setdefault("seed", "4711")
        if "hires" in resolved:
            self._resolve_hires(resolved)
        for control in resolved.get("controls", []):
            control["picture"]["data"] = ""
            control.setdefault("preprocessor", "PREPROCESSOR_NONE")
        for prompt in resolved.get("image_prompts", []):
            prompt["pictures"] = [{"data": ""}]
        await self.tell("started", {"resolved": resolved})

    def _resolve_hires(self, request: dict[str, Any]) -> None:
        """The size stands for the factor."""
        asked = request["hires"]
        factor = asked.pop("factor", 2)
        by_network = "upscaler" in asked
        request["hires"] = {
            "upscale": f"UPSCALE_{'NETWORK' if by_network else 'LATENT'}",
            "upscaler": "",
            "steps": request["steps"],
            "strength": 0.7,
            "sampler": request.get("sampler", "SAMPLER_UNSPECIFIED"),
            **asked,
            "width": int(request["width"] * factor) // 8 * 8,
            "height": int(request["height"] * factor) // 8 * 8,
        }

    async def progress(self, step: int, index: int = 0) -> None:
        await self.tell(
            "progress",
            {
                "image_index": index,
                "step": step,
                "steps": self.steps,
                "time_left": f"{(self.steps - step) * 0.3:.1f}s",
            },
        )

    async def preview(self, step: int, index: int = 0) -> None:
        await self.progress(step, index)
        await self.tell(
            "preview",
            {
                "image_index": index,
                "step": step,
                "picture": self._picture(index, step),
            },
        )

    async def image(self, index: int = 0) -> None:
        # Varied pictures have one seed, and differ in the other.
        varies = self.request.get("variation", {}).get("strength", 0) > 0
        seed = int(self.request.get("seed", "1000")) + (0 if varies else index)
        await self.tell(
            "image",
            {
                "image_index": index,
                "seed": str(seed),
                "picture": self._picture(index, self.steps),
                "latents": "kept" if self.request.get("keep_latents") else "",
            },
        )

    async def ended(
        self, state: str = "SUCCEEDED", message: str = ""
    ) -> None:
        self.state = f"JOB_STATE_{state}"
        status = {"code": 13, "message": message, "details": []}
        await self.tell(
            "ended",
            {"state": self.state, **({"status": status} if message else {})},
        )

    async def finish(self) -> None:
        """All that is left, at once."""
        if self.state == "JOB_STATE_QUEUED":
            await self.started()
        for index in range(self.request.get("image_count", 1)):
            await self.image(index)
        await self.ended()

    def _picture(self, index: int, step: int) -> dict[str, Any]:
        data = self.door.paint(index, step / self.steps)
        return {
            "data": base64.b64encode(data).decode(),
            "media_type": "image/png",
            "width": 128,
            "height": 128,
            "size_bytes": str(len(data)),
        }


class Door:
    """Start it, read `url`, and take each job that arrives by `next_job`."""

    def __init__(self) -> None:
        self.model = copy.deepcopy(MODEL)
        self.key = ""  # "": none is needed
        self.refusals: deque[tuple[int, dict[str, Any]]] = deque()
        self.is_down = False
        self.paint = picture
        self.loras: list[str] = []
        # Pages of what is told of them; none: the door does not tell.
        self.lora_pages: list[list[dict[str, Any]]] = []
        self.upscalers: list[str] = []
        self.scorers: list[str] = []
        self.upscalings: list[dict[str, Any]] = []
        self.tiles = 0  # of an upscaling; 0: the door streams none
        self.may_go_on = asyncio.Event()  # after the first tile
        self.may_go_on.set()
        self.jobs: dict[str, MockJob] = {}
        self.watches: list[tuple[str, str]] = []  # job, Last-Event-ID
        self.open: list[str] = []  # jobs whose streams are
        self.most_open = 0
        self.creations: list[dict[str, Any]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._arrived: asyncio.Queue[MockJob] = asyncio.Queue()
        self._streams: list[asyncio.Transport] = []

    async def start(self) -> None:
        app = web.Application(
            client_max_size=32 << 20, middlewares=[self._guard]
        )
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/jobs", self._create)
        app.router.add_get("/v1/jobs/{id}/events", self._events)
        app.router.add_delete("/v1/jobs/{id}", self._cancel)
        app.router.add_get("/v1/loras", self._loras_of)
        app.router.add_post("/v1/images/upscales", self._upscale_by_tile)
        app.router.add_get("/sdapi/v1/loras", self._loras)
        app.router.add_get("/sdapi/v1/upscalers", self._upscalers)
        app.router.add_get("/v1/scorers", self._scorers)
        app.router.add_post("/sdapi/v1/extra-single-image", self._upscale)
        app.router.add_get("/{path:.*}", self._file)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/"

    async def stop(self) -> None:
        self.cut()
        await self._runner.cleanup()

    async def next_job(self) -> MockJob:
        return await asyncio.wait_for(self._arrived.get(), 20)

    def cut(self) -> None:
        """Breaks off every stream."""
        for transport in self._streams:
            transport.abort()
        self._streams.clear()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> Any:
        if self.is_down and request.path.startswith("/v1/"):
            assert isinstance(request.transport, asyncio.Transport)
            request.transport.abort()
            return web.Response()  # which nobody gets
        if (
            self.key
            and request.path.startswith(("/v1/", "/sdapi/"))
            and request.headers.get("authorization") != f"Bearer {self.key}"
        ):
            return _error(401, "a key is needed", "UNAUTHENTICATED")
        return await handler(request)

    async def _models(self, request: web.Request) -> web.Response:
        model = {
            "id": self.model["id"],
            "object": "model",
            "root": self.model["id"],
            # A door that tells only an id is as one without this field.
            **({"genzo": self.model} if len(self.model) > 1 else {}),
        }
        alias = {"id": "dall-e-3", "object": "model", "root": "emaki"}
        return web.json_response({"object": "list", "data": [model, alias]})

    async def _loras(self, request: web.Request) -> web.Response:
        return web.json_response([{"name": name} for name in self.loras])

    async def _loras_of(self, request: web.Request) -> web.Response:
        if not self.lora_pages:
            return _error(404, "there is no such route", "NOT_FOUND")
        number = int(request.query["page_token"] or 0)
        more = number + 1 < len(self.lora_pages)
        return web.json_response(
            {
                "object": "list",
                "data": self.lora_pages[number],
                "next_page_token": str(number + 1) if more else "",
            }
        )

    async def _upscalers(self, request: web.Request) -> web.Response:
        names = ["None", *self.upscalers]
        return web.json_response([{"name": name} for name in names])

    async def _scorers(self, request: web.Request) -> web.Response:
        names = [{"name": name} for name in self.scorers]
        return web.json_response({"scorers": names})

    async def _upscale(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.upscalings.append(body)
        await self.may_answer.wait()
        if self.refusals:
            status, error = self.refusals.popleft()
            return web.json_response(error, status=status)
        data = _enlarged(
            base64.b64decode(body["image"]), body["upscaling_resize"]
        )
        return web.json_response({"html_info": "", "image": data})

    async def _upscale_by_tile(
        self, request: web.Request
    ) -> web.StreamResponse:
        """The first tile at once, the others when it may go on."""
        form = await request.post()
        if self.tiles == 0:
            wrong = {"message": "stream is not known", "param": "stream"}
            return web.json_response({"error": wrong}, status=400)
        image = form["image"]
        assert isinstance(image, web.FileField)
        self.upscalings.append({**form, "image": ""})
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream"}
        )
        await response.prepare(request)

        async def tell(kind: str, **rest: Any) -> None:
            event = json.dumps({"type": kind, **rest})
            await response.write(f"event: {kind}\ndata: {event}\n\n".encode())

        for done in range(1, self.tiles + 1):
            await tell(
                "image_upscale.progress", tiles_done=done, tiles=self.tiles
            )
            await self.may_go_on.wait()
        if self.refusals:
            await tell("error", error=self.refusals.popleft()[1])
            return response
        made = _enlarged(image.file.read(), int(str(form["factor"])))
        await tell("image_upscale.completed", b64_json=made)
        return response

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.creations.append(body)
        if self.refusals:
            status, error = self.refusals.popleft()
            return web.json_response({"error": error}, status=status)
        key = body["request"]["request_id"]
        job = self.jobs.get(key)
        if job is None:
            job = MockJob(self, len(self.jobs) + 1, body["request"])
            self.jobs[key] = job
            self._arrived.put_nowait(job)
        await self.may_answer.wait()
        return web.json_response({"id": job.id, "state": job.state}, status=201)

    def _find(self, request: web.Request) -> MockJob | None:
        wanted = request.match_info["id"]
        return next((j for j in self.jobs.values() if j.id == wanted), None)

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._find(request)
        assert job is not None
        if self.refusals:
            status, error = self.refusals.popleft()
            return web.json_response({"error": error}, status=status)
        await job.ended("CANCELLED", "the job was cancelled")
        return web.json_response({"id": job.id, "state": job.state})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        if job is None:
            return _error(404, "nobody knows this job", "JOB_UNKNOWN")
        sequence = request.headers.get("last-event-id", "0")
        self.watches.append((job.id, sequence))
        response = web.StreamResponse(
            headers={
                "content-type": "text/event-stream",
                "cache-control": "no-store",
            }
        )
        await response.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)
        self._streams.append(request.transport)
        sent = int(sequence)
        self.open.append(job.id)
        self.most_open = max(self.most_open, len(self.open))
        try:
            while True:
                async with job.changed:
                    await job.changed.wait_for(lambda: len(job.events) > sent)
                    news = job.events[sent:]
                for kind, event in news:
                    sent += 1
                    await response.write(
                        f"event: {kind}\nid: {event['sequence']}\n"
                        f"data: {json.dumps(event)}\n\n".encode()
                    )
                    if kind == "ended":
                        return response
        except ConnectionError:
            return response
        finally:
            self.open.remove(job.id)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = DIST / (request.match_info["path"] or "index.html")
        if not path.is_file():
            return _error(404, "there is no such file", "NOT_FOUND")
        return web.FileResponse(
            path, headers={"content-security-policy": POLICY}
        )


def _enlarged(data: bytes, factor: int) -> str:
    """A picture's file, that many times as large, in base64."""
    image = Image.open(io.BytesIO(data))
    image = image.resize((image.width * factor, image.height * factor))
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _error(status: int, message: str, reason: str) -> web.Response:
    return web.json_response(
        {"error": {"code": 0, "message": message, "reason": reason}},
        status=status,
    )
