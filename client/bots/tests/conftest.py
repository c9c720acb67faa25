from __future__ import annotations

import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import genzo

# The server whose answers a test writes down is the Python client's.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python/tests"))

from fake_server import FakeServer
from stand_in import StandIn, stand_in_at

from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import model_registry_pb2 as registry
from genzo.v1 import types_pb2 as types
from genzo_bots.limits import Ledger, Limits
from genzo_bots.orders import Orders
from genzo_bots.studio import Studio

# Begins a picture; the frame's header begins, of which the size comes next.
_JPEG = b"\xff\xd8\xff\xc0\x00\x11\x08"


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
                    samplers=[
                        registry.SamplerSupport(sampler=types.SAMPLER_EULER),
                        registry.SamplerSupport(sampler=types.SAMPLER_DPMPP_2M),
                    ],
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


def picture(text: str, width: int = 64, height: int = 64) -> pb.Picture:
    """A JPEG's beginning, as far as its size, and then a text."""
    data = _JPEG + struct.pack(">HH", height, width) + text.encode()
    return pb.Picture(
        data=data,
        media_type="image/jpeg",
        width=width,
        height=height,
        size_bytes=len(data),
    )


def text_of(picture: genzo.Picture) -> str:
    """The text in such a picture."""
    return picture.data[len(_JPEG) + 4 :].decode()


def painted(
    job: str = "job-1",
    previews: int = 1,
    images: int = 1,
    side: int = 64,
    first_seed: int = 0,
) -> Callable[[pb.GenerateRequest, Any], Iterator[pb.JobEvent]]:
    """Events of a job that succeeds; its pictures are squares. `first_seed`:
    how much more than the request's the first picture's is."""

    def answer(
        request: pb.GenerateRequest, context: Any
    ) -> Iterator[pb.JobEvent]:
        number = iter(range(1, 1000))

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
                    seed=request.seed + first_seed + index,
                    picture=picture(f"done{index}", side, side),
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


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    async with stand_in_at() as made:
        yield made
    assert not made.wrong
