from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import genzo

# The server whose answers a test writes down is the Python client's.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python/tests"))

from fake_server import FakeServer

from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import model_registry_pb2 as registry
from genzo.v1 import types_pb2 as types
from genzo_bots.limits import Ledger, Limits
from genzo_bots.orders import Orders
from genzo_bots.studio import Studio


@pytest.fixture
def genzo_server() -> Iterator[FakeServer]:
    server = FakeServer()
    server.pages = [
        registry.ListModelsResponse(
            models=[
                registry.Model(
                    id="emaki",
                    is_default=True,
                    request_fields=["variation", "hires"],
                ),
                registry.Model(id="sdxl"),
            ]
        )
    ]
    yield server
    server.stop()


@pytest.fixture
async def studio(genzo_server: FakeServer, tmp_path: Path) -> Any:
    async with genzo.AsyncClient(genzo_server.address) as client:
        orders = Orders(tmp_path / "orders.db")
        made = Studio(client, orders, Ledger(Limits()), first_delay=0.01)
        yield made
        await made.close()
        orders.close()


def picture(text: str) -> pb.Picture:
    data = b"\xff\xd8" + text.encode()
    return pb.Picture(
        data=data,
        media_type="image/jpeg",
        width=64,
        height=64,
        size_bytes=len(data),
    )


def painted(
    job: str = "job-1", previews: int = 1, images: int = 1
) -> Callable[[pb.GenerateRequest, Any], Iterator[pb.JobEvent]]:
    """Events of a job that succeeds."""

    def answer(
        request: pb.GenerateRequest, context: Any
    ) -> Iterator[pb.JobEvent]:
        number = iter(range(1, 100))

        def event(**rest: Any) -> pb.JobEvent:
            return pb.JobEvent(job_id=job, sequence=next(number), **rest)

        yield event(queued=pb.Queued(position=2))
        yield event(started=pb.Started(resolved=request))
        for step in range(1, previews + 1):
            yield event(progress=pb.Progress(step=step, steps=9))
            yield event(
                preview=pb.Preview(step=step, picture=picture(f"rough{step}"))
            )
        for index in range(images):
            yield event(
                image=pb.Image(
                    image_index=index,
                    seed=request.seed + index,
                    picture=picture(f"done{index}"),
                )
            )
        yield event(ended=pb.Ended(state=types.JOB_STATE_SUCCEEDED))

    return answer


@asynccontextmanager
async def served(studio: Studio, bot: Any) -> AsyncIterator[str]:
    """A bot that has started, at the address that this tells."""
    await bot.start()
    app = web.Application()
    bot.add_route(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await studio.close()
    await runner.cleanup()
    await bot.close()


@dataclass
class Heard:
    """One call that a service's stand-in was sent."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    json: Any = None
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class StandIn:
    """A service's HTTP API: remembers what it is sent, and answers with what
    `faults` holds before it answers as the service does."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    # (part of the path, status, headers, body), each once.
    faults: list[tuple[str, int, dict[str, str], Any]] = field(
        default_factory=list
    )
    answer: Callable[[Heard], Any] = lambda heard: {}
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def calls(self, method: str, part: str) -> list[Heard]:
        return [h for h in self.heard if h.method == method and part in h.path]

    async def until(self, ready: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not ready():
                self.changed.clear()
                await self.changed.wait()

    async def handle(self, request: web.Request) -> web.Response:
        heard = Heard(
            request.method,
            request.path,
            dict(request.headers),
            dict(request.query),
        )
        if request.content_type == "multipart/form-data":
            heard.json = {}
            async for part in await request.multipart():
                data = bytes(await part.read())
                heard.files[part.name] = data
        elif request.content_type == "application/x-www-form-urlencoded":
            heard.json = dict(await request.post())
        elif request.content_type == "application/json":
            heard.json = await request.json()
        else:
            heard.files["body"] = await request.read()
        for fault in self.faults:
            part, status, headers, body = fault
            if part in request.path:
                self.faults.remove(fault)
                return reply(body, status, headers)
        self.heard.append(heard)
        self.changed.set()
        answer = self.answer(heard)
        if isinstance(answer, web.Response):
            return answer
        return reply(answer)


def reply(
    body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """JSON as Discord labels it, without a charset."""
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
    )


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    made = StandIn()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made.url = f"http://127.0.0.1:{port}"
    yield made
    await runner.cleanup()
