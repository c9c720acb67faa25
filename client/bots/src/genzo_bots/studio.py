"""What every bot does with an order: has it painted, shows how it develops,
delivers it once."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import genzo
from genzo.v1 import image_generation_pb2 as pb
from genzo_bots import words
from genzo_bots.limits import Ledger, Refused
from genzo_bots.orders import Order, Orders

_log = logging.getLogger(__name__)

_DELIVERY_TRIES = 5
_FIRST_DELAY = 2.0
_VARIATION_STRENGTH = 0.25


class Canvas(Protocol):
    """Where one order develops: a message in a chat. Calls come one at a time.
    What raises is tried again for `deliver` and `fail`, and left out else."""

    # The service's own bound on how often a message may change.
    seconds_between_updates: float

    async def note(self, text: str) -> None:
        """A line about where the picture is."""

    async def preview(self, picture: genzo.Picture, text: str) -> None:
        """An unfinished picture in place of the one before."""

    async def deliver(
        self, images: tuple[genzo.Image, ...], offers: tuple[str, ...]
    ) -> None:
        """The finished pictures, and what may be done with them: "again",
        "vary", "upscale"."""

    async def fail(self, text: str) -> None:
        """There will be no picture."""


# The refusal for an order that must not be painted, or None.
Policy: TypeAlias = Callable[[Order], str | Awaitable[str | None] | None]
CanvasOf: TypeAlias = Callable[[Order], Canvas]


class _Updates:
    """Shows the newest of what is put in, no more often than the canvas may
    change: a picture that was overtaken is never sent."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._text = ""
        self._picture: genzo.Picture | None = None
        self._new = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def put(self, text: str, picture: genzo.Picture | None = None) -> None:
        self._text = text
        self._picture = picture or self._picture
        self._new.set()

    async def _run(self) -> None:
        while True:
            await self._new.wait()
            self._new.clear()
            text, picture, self._picture = self._text, self._picture, None
            try:
                if picture is None:
                    await self._canvas.note(text)
                else:
                    await self._canvas.preview(picture, text)
            except Exception as error:
                _log.warning("an update was not taken: %s", error)
            await asyncio.sleep(self._canvas.seconds_between_updates)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@dataclass
class _Running:
    user: str
    job: genzo.AsyncJob | None = None
    task: asyncio.Task[None] | None = None


class Studio:
    """Takes orders and sees to them. For one event loop."""

    def __init__(
        self,
        client: genzo.AsyncClient,
        orders: Orders,
        ledger: Ledger,
        policy: Policy | None = None,
        first_delay: float = _FIRST_DELAY,
    ) -> None:
        self._client = client
        self._orders = orders
        self._ledger = ledger
        self._policy = policy
        self._first_delay = first_delay
        self._running: dict[str, _Running] = {}

    async def take(self, order: Order, canvas: Canvas) -> None:
        """Begins with an order. Refused says why not."""
        if self._policy is not None:
            refusal = self._policy(order)
            if inspect.isawaitable(refusal):
                refusal = await refusal
            if refusal is not None:
                raise Refused(refusal)
        self._ledger.begin(f"{order.service}:{order.user}", order.language)
        self._orders.add(order)
        self._start(order, canvas)

    def find_again(self, service: str, canvas_of: CanvasOf) -> int:
        """Takes up every order that was open when the bot ended."""
        found = self._orders.open_orders(service)
        for order in found:
            self._ledger.found_again(f"{service}:{order.user}")
            self._start(order, canvas_of(order))
        return len(found)

    def order(self, order_id: str) -> Order | None:
        """Any order of the last day."""
        return self._orders.find(order_id)

    def keep_address(self, order: Order) -> None:
        """Keeps what the canvas has learnt about where its message is."""
        self._orders.move(order)

    async def cancel(self, order_id: str, user: str, language: str) -> None:
        """Refused if it is another's, or has ended."""
        running = self._running.get(order_id)
        if running is None or running.job is None or not running.job.id:
            raise Refused(words.say(language, "gone"))
        if running.user != user:
            raise Refused(words.say(language, "not_yours"))
        await self._client.cancel(running.job.id)

    def follow_up(self, order_id: str, wish: str, order: Order) -> Order:
        """`order` with the request of an earlier one, changed as `wish` says:
        "again", "vary" or "upscale". Refused if it is forgotten."""
        before = self._orders.find(order_id)
        if before is None:
            raise Refused(words.say(order.language, "gone"))
        request = pb.GenerateRequest()
        request.CopyFrom(before.request)
        request.request_id = str(uuid.uuid4())
        match wish:
            case "again":
                request.seed = random.getrandbits(32)
            case "vary":
                request.variation.seed = random.getrandbits(32)
                request.variation.strength = _VARIATION_STRENGTH
            case "upscale":
                request.hires.factor = 2
            case _:
                raise ValueError(f"no such wish: {wish!r}")
        return replace(order, request=request)

    async def models(self) -> list[genzo.Model]:
        return await self._client.models()

    async def close(self) -> None:
        """Leaves everything as it is for the next start."""
        tasks = [r.task for r in self._running.values() if r.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Waits until nothing is under way."""
        while self._running:
            tasks = [r.task for r in self._running.values() if r.task]
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, order: Order, canvas: Canvas) -> None:
        running = _Running(order.user)
        self._running[order.id] = running
        running.task = asyncio.create_task(
            self._see_to(order, canvas, running), name=order.id
        )

    async def _see_to(
        self, order: Order, canvas: Canvas, running: _Running
    ) -> None:
        try:
            updates = _Updates(canvas)
            try:
                answer = await self._paint(order, canvas, running, updates)
            finally:
                await updates.stop()
            await self._insist(order, answer)
            self._orders.close_order(order.id)
        except asyncio.CancelledError:
            raise  # the order stays open, for the next start
        except Exception:
            _log.exception("order %s stays open", order.id)
        finally:
            del self._running[order.id]
            self._ledger.end(f"{order.service}:{order.user}")

    async def _paint(
        self,
        order: Order,
        canvas: Canvas,
        running: _Running,
        updates: _Updates,
    ) -> Callable[[], Awaitable[None]]:
        """What to tell the person in the end."""
        language = order.language
        job = running.job = self._client.send(order.request)
        images: list[genzo.Image] = []
        last = words.say(language, "accepted")
        try:
            async for event in job:
                match event:
                    case genzo.Queued():
                        last = words.queued(language, event)
                        updates.put(last)
                    case genzo.Progress():
                        last = words.progress(language, event)
                    case genzo.Preview():
                        updates.put(last, event.picture)
                    case genzo.Image():
                        images.append(event)
        except genzo.GenzoError as fault:
            text = words.error(language, fault)
            return lambda: canvas.fail(text)
        finally:
            # Ends the reading alone: the job goes on without its reader.
            job.cancel()
        if not images:
            text = words.say(language, "withheld", "safety")
            return lambda: canvas.fail(text)
        offers = await self._offers(order)
        return lambda: canvas.deliver(tuple(images), offers)

    async def _offers(self, order: Order) -> tuple[str, ...]:
        """What the order's model can do with the finished picture."""
        offers = ["again"]
        try:
            models = await self._client.models()
        except genzo.GenzoError:
            return tuple(offers)
        wanted = order.request.model
        for model in models:
            if model.id == wanted or (not wanted and model.is_default):
                takes = set(model.proto.request_fields)
                offers += ["vary"] * ("variation" in takes)
                offers += ["upscale"] * (
                    "hires" in takes and not order.request.HasField("hires")
                )
        return tuple(offers)

    async def _insist(
        self, order: Order, answer: Callable[[], Awaitable[None]]
    ) -> None:
        """Tries an answer until the service takes it."""
        for attempt in range(_DELIVERY_TRIES):
            try:
                return await answer()
            except Exception as error:
                if attempt + 1 == _DELIVERY_TRIES:
                    raise
                _log.warning("order %s: %s; trying again", order.id, error)
                await asyncio.sleep(self._first_delay * 2**attempt)
