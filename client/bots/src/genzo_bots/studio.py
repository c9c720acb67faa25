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
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import genzo
from genzo.v1 import image_generation_pb2 as pb
from genzo_bots import words
from genzo_bots.limits import HOUR, Ledger, Refused
from genzo_bots.orders import Order, Orders

_log = logging.getLogger(__name__)

# Of an answer that the service does not take, and of a server that is away.
_TRIES = 5
_FIRST_DELAY = 2.0
# How long an answer that is being given may still take when the bot ends.
_LAST_SECONDS = 10.0
_VARIATION_STRENGTH = 0.25
_REDUCING_SECONDS = 60.0
_T = TypeVar("_T")


class Canvas(Protocol):
    """Where one order develops: a message in a chat. Calls come one at a time.
    What raises is tried again for `deliver` and `fail`, unless it is final, and
    left out else."""

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

    def is_final(self, error: Exception) -> bool:
        """Whether a call that raised it will never be taken: the bot was put
        out of the channel, for example."""


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
        self._showing: asyncio.Task[None] | None = None
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
            self._showing = asyncio.create_task(self._show(text, picture))
            await asyncio.shield(self._showing)
            await asyncio.sleep(self._canvas.seconds_between_updates)

    async def _show(self, text: str, picture: genzo.Picture | None) -> None:
        try:
            if picture is None:
                await self._canvas.note(text)
            else:
                await self._canvas.preview(picture, text)
        except Exception as error:
            _log.warning("an update was not taken: %s", error)

    async def stop(self) -> None:
        """Lets a call that is under way end: a message whose number nobody
        heard could not be replaced by the picture."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._showing is not None:
            await self._showing


@dataclass
class _Running:
    user: str
    job: genzo.AsyncJob | None = None
    task: asyncio.Task[None] | None = None
    cancelled: bool = False


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
        for age, order in orders.of_last(HOUR):
            ledger.remember(_person(order), age, order.pictures)

    async def take(
        self,
        order: Order,
        canvas: Canvas,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Begins with an order. Refused says why not. One that was taken
        before, because a service told it twice, is not taken again. `prepare`
        comes before the painting; what it refuses was never ordered."""
        if self._orders.find(order.id) is not None:
            return
        if self._policy is not None:
            refusal = self._policy(order)
            if inspect.isawaitable(refusal):
                refusal = await refusal
            if refusal is not None:
                raise Refused(refusal)
            if self._orders.find(order.id) is not None:
                return  # told again while the policy thought
        user = _person(order)
        entry = self._ledger.begin(user, order.language, order.pictures)
        try:
            self._orders.add(order)
            if prepare is not None:
                await prepare()
        except Refused:
            self._ledger.take_back(user, entry)
            self._orders.remove(order.id)
            raise
        except Exception:  # a full disk, for example
            self._ledger.take_back(user, entry)
            raise
        self._start(order, canvas)

    def find_again(self, service: str, canvas_of: CanvasOf) -> int:
        """Takes up every order that was open when the bot ended."""
        found = self._orders.open_orders(service)
        for order in found:
            self._ledger.found_again(_person(order))
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
        if running is None:
            raise Refused(words.say(language, "gone"))
        if running.user != user:
            raise Refused(words.say(language, "not_yours"))
        running.cancelled = True  # at its first event, if it has no id yet
        if running.job is not None and running.job.id:
            await self._client.cancel(running.job.id)

    def follow_up(
        self,
        order_id: str,
        wish: str,
        order: Order,
        number: int = 0,
    ) -> Order:
        """`order` with the request of an earlier one, changed as `wish` says:
        "again", "vary" or "upscale". Where its pictures were chosen from more
        that were drawn, the last two are for the one of that number, 0 for the
        best. Refused if it is forgotten."""
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
                _choose(request, before.seeds, number)
                request.variation.seed = random.getrandbits(32)
                request.variation.strength = _VARIATION_STRENGTH
            case "upscale" if before.enlarges:
                request.hires.factor *= 2
            case "upscale":
                _choose(request, before.seeds, number)
                request.hires.factor = 2
            case _:
                raise ValueError(f"no such wish: {wish!r}")
        return replace(order, request=request)

    async def reduced(
        self, picture: genzo.Picture, longest: int
    ) -> genzo.Picture:
        """The picture, or where a side has more pixels than `longest` a JPEG
        that fits, made by the server. GenzoError if it makes none."""
        scale = longest / max(picture.width, picture.height)
        if scale >= 1:
            return picture
        made = await self._client.upscale(
            picture.data,
            upscaler="lanczos",
            width=max(1, round(picture.width * scale)),
            height=max(1, round(picture.height * scale)),
            format="jpeg",
            timeout=_REDUCING_SECONDS,
        ).result()
        return made.images[0].picture

    async def tell(self, order: Order, canvas: Canvas, text: str) -> None:
        """Says that there will be no picture, as insistently as one is
        delivered."""
        await self._insist(order, canvas, partial(canvas.fail, text))

    async def models(self) -> list[genzo.Model]:
        return await self._client.models()

    async def loras(self, model: str) -> list[str]:
        """The adapters that a model takes, by name: the default one if it is
        empty. All of them while the server has compared none with it."""
        known = await self._client.loras()
        if not model:
            model = next(
                (m.id for m in await self.models() if m.is_default), ""
            )
        fitting = [lora.name for lora in known if model in lora.models]
        return fitting or [lora.name for lora in known]

    async def upscalers(self) -> list[str]:
        return [known.name for known in await self._client.upscalers()]

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
                answer = await self._insist(
                    order,
                    canvas,
                    lambda: self._paint(order, canvas, running, updates),
                )
            except genzo.GenzoError as fault:
                text = words.error(order.language, fault)
                answer = partial(canvas.fail, text)
            finally:
                await updates.stop()
            await self._give(order, canvas, answer)
        except asyncio.CancelledError:
            raise  # the order stays open, for the next start
        except Exception:
            _log.exception("order %s stays open", order.id)
        finally:
            del self._running[order.id]
            self._ledger.end(_person(order))

    async def _give(
        self,
        order: Order,
        canvas: Canvas,
        answer: Callable[[], Awaitable[None]],
    ) -> None:
        """Gives the answer, and keeps that it was given. Where the bot ends
        meanwhile the answer has a little time left: broken off, nobody would
        know whether it was given. An answer that the service does not take
        (a picture too large for it) is told instead. Where it takes no word
        either, the order stays open for the next start, unless that is
        final."""
        giving = asyncio.create_task(self._insist(order, canvas, answer))
        try:
            await asyncio.shield(giving)
        except asyncio.CancelledError:
            await asyncio.wait([giving], timeout=_LAST_SECONDS)
            if not giving.cancel() and not giving.exception():
                self._orders.close_order(order.id)
            raise
        except Exception as error:
            _log.warning("order %s is not taken: %s", order.id, error)
            try:
                await canvas.fail(words.say(order.language, "undelivered"))
            except Exception as last:
                if not canvas.is_final(last):
                    raise
                _log.warning("nor is a word about it: %s", last)
        self._orders.close_order(order.id)

    async def _paint(
        self,
        order: Order,
        canvas: Canvas,
        running: _Running,
        updates: _Updates,
    ) -> Callable[[], Awaitable[None]]:
        """What to tell the person in the end. GenzoError where there will be
        no picture."""
        language = order.language
        job = running.job = self._send(order)
        images: list[genzo.Image] = []
        withheld: list[str] = []
        last = words.say(language, "accepted")
        try:
            async for event in job:
                if running.cancelled:
                    running.cancelled = False
                    await self._client.cancel(job.id)
                match event:
                    case genzo.Queued(position=0) | genzo.Started():
                        updates.put(last)
                    case genzo.Queued():
                        updates.put(words.queued(language, event))
                    case genzo.Progress() if order.enlarges:
                        updates.put(words.progress(language, event, "tile"))
                    case genzo.Progress():
                        last = words.progress(language, event)
                    # One picture that develops, not several in turn.
                    case genzo.Preview(image_index=0):
                        updates.put(last, event.picture)
                    case genzo.Image():
                        images.append(event)
                    case genzo.ImageWithheld():
                        withheld.append(event.safety)
        finally:
            # Ends the reading alone: the job goes on without its reader.
            job.cancel()
        if not images:
            text = words.withheld(language, withheld)
            return partial(canvas.fail, text)
        self._orders.keep_seeds(order.id, [image.seed for image in images])
        offers = await self._offers(order)
        return partial(canvas.deliver, tuple(images), offers)

    def _send(self, order: Order) -> genzo.AsyncJob:
        """A picture is enlarged anew after a restart: such a job has no request
        id."""
        if not order.enlarges:
            return self._client.send(order.request)
        hires = order.request.hires
        return self._client.upscale(
            order.request.image_to_image.image,
            upscaler=hires.upscaler,
            factor=hires.factor,
        )

    async def _offers(self, order: Order) -> tuple[str, ...]:
        """What the order's model can do with the finished picture."""
        if order.enlarges:
            return ("upscale",)
        offers = ["again"]
        try:
            models = await self._client.models()
        except genzo.GenzoError:
            return tuple(offers)
        request = order.request
        wanted = request.model
        for model in models:
            if model.id == wanted or (not wanted and model.is_default):
                takes = set(model.proto.request_fields)
                # What begins at a picture's own noise has none to vary.
                inverts = request.image_to_image.HasField("inversion")
                offers += ["vary"] * ("variation" in takes and not inverts)
                offers += ["upscale"] * (
                    "hires" in takes
                    and not request.HasField("hires")
                    and not request.HasField("image_to_image")
                )
        return tuple(offers)

    async def _insist(
        self,
        order: Order,
        canvas: Canvas,
        attempt: Callable[[], Awaitable[_T]],
    ) -> _T:
        """Tries again, ever later, what may go better another time: not what is
        final, and of GenzoErrors only that no server answers."""
        for number in range(1, _TRIES):
            try:
                return await attempt()
            except Exception as error:
                if isinstance(error, genzo.GenzoError) and (
                    error.code != "UNAVAILABLE" or error.reason
                ):
                    raise
                if canvas.is_final(error):
                    raise
                _log.warning("order %s: %s; trying again", order.id, error)
                await asyncio.sleep(self._first_delay * 2 ** (number - 1))
        return await attempt()


def _person(order: Order) -> str:
    """As the ledger knows the one who gave it."""
    return f"{order.service}:{order.user}"


def _choose(
    request: pb.GenerateRequest, seeds: tuple[int, ...], number: int
) -> None:
    """Has a picture that was chosen painted by its own seed: drawn changed,
    another might be the best."""
    if request.HasField("best_of") and number < len(seeds):
        request.seed = seeds[number]
        request.image_count = 1
        request.ClearField("best_of")
