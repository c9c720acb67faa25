"""A chat service's HTTP API as far as the bots use it: the part that all four
share. What a service would refuse is refused, and kept in `wrong`."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Heard:
    """One call that a service's stand-in was sent."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    json: Any = None
    files: dict[str, bytes] = field(default_factory=dict)


class Wrong(Exception):
    """A call whose shape the service does not take."""


@dataclass
class Limit:
    """So many calls in so many seconds, of those whose path has `part`; those
    are counted together of which `of` tells the same, those of "" not at
    all."""

    part: str
    calls: int
    seconds: float
    of: Callable[[Heard], str] = lambda heard: heard.path


@dataclass
class StandIn:
    """A service's HTTP API: remembers what it is sent, and answers with what
    `faults` holds before it answers as the service does."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    # (part of the path, status, headers, body), each once; status 0 breaks the
    # connection.
    faults: list[tuple[str, int, dict[str, str], Any]] = field(
        default_factory=list
    )
    # Parts of paths, each once: the call counts, and is answered with 500.
    unheard: list[str] = field(default_factory=list)
    answer: Callable[[Heard], Any] = lambda heard: {}
    limits: list[Limit] = field(default_factory=list)
    # What was sent too often or in a shape that is not the service's.
    wrong: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _past: dict[tuple[str, str], deque[float]] = field(
        default_factory=lambda: defaultdict(deque)
    )

    def calls(self, method: str, part: str) -> list[Heard]:
        return [h for h in self.heard if h.method == method and part in h.path]

    async def until(
        self, ready: Callable[[], Any], seconds: float = 20
    ) -> None:
        async with asyncio.timeout(seconds):
            while not ready():
                self.changed.clear()
                await self.changed.wait()

    async def handle(self, request: web.Request) -> web.Response:
        heard = await _heard(request)
        for fault in self.faults:
            part, status, headers, body = fault
            if part in request.path:
                self.faults.remove(fault)
                if status == 0 and request.transport is not None:
                    request.transport.abort()
                return reply(body, status or 500, headers)
        answer = await self._take(heard)
        for part in self.unheard:
            if part in request.path:
                self.unheard.remove(part)
                return reply({"message": "internal"}, 500)
        return answer if isinstance(answer, web.Response) else reply(answer)

    async def _take(self, heard: Heard) -> Any:
        self.heard.append(heard)
        self.changed.set()
        try:
            self._count(heard)
            answer = self.answer(heard)
            return await answer if inspect.isawaitable(answer) else answer
        except Wrong as wrong:
            self.wrong.append(f"{heard.method} {heard.path}: {wrong}")
            return reply({"message": str(wrong)}, 400)
        finally:
            self.changed.set()

    def _count(self, heard: Heard) -> None:
        now = asyncio.get_running_loop().time()
        for limit in self.limits:
            if limit.part not in heard.path or not (of := limit.of(heard)):
                continue
            past = self._past[limit.part, of]
            while past and past[0] <= now - limit.seconds:
                past.popleft()
            past.append(now)
            if len(past) > limit.calls:
                raise Wrong(f"{len(past)} calls in {limit.seconds} s")


async def _heard(request: web.Request) -> Heard:
    heard = Heard(
        request.method,
        request.path,
        dict(request.headers),
        dict(request.query),
    )
    if request.content_type == "multipart/form-data":
        heard.json = {}
        async for part in await request.multipart():
            heard.files[part.name] = bytes(await part.read())
    elif request.content_type == "application/x-www-form-urlencoded":
        heard.json = dict(await request.post())
    elif request.content_type == "application/json":
        heard.json = await request.json()
    else:
        heard.files["body"] = await request.read()
    return heard


def reply(
    body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """JSON as Discord labels it, without a charset."""
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
    )


@asynccontextmanager
async def stand_in_at() -> AsyncIterator[StandIn]:
    """A stand-in that listens at its `url`."""
    made = StandIn()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    yield made
    await runner.cleanup()


def within(what: str, value: str, longest: int) -> None:
    if not 0 < len(value) <= longest:
        raise Wrong(f"{what} has {len(value)} characters, not 1 to {longest}")


def expect(claim: bool, what: str) -> None:
    if not claim:
        raise Wrong(what)
