from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from conftest import painted, text_of
from fake_server import FakeServer

import genzo
from genzo.v1 import image_generation_pb2 as pb
from genzo_bots import commands
from genzo_bots.limits import Ledger, Limits, Refused
from genzo_bots.orders import Order, Orders
from genzo_bots.studio import Studio


@dataclass
class Canvas:
    seconds_between_updates: float = 0.0
    shown: list[str] = field(default_factory=list)
    delivered: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    refusals: int = 0
    is_closed: bool = False  # takes nothing any more

    async def note(self, text: str) -> None:
        self.shown.append(text)

    async def preview(self, picture: genzo.Picture, text: str) -> None:
        self.shown.append(text_of(picture))

    async def deliver(self, images: Any, offers: Any) -> None:
        if self.refusals or self.is_closed:
            self.refusals -= 1
            raise OSError("the service is away")
        self.delivered.append((len(images), offers))

    async def fail(self, text: str) -> None:
        if self.is_closed:
            raise OSError("the channel is closed")
        self.failed.append(text)

    def is_final(self, error: Exception) -> bool:
        return self.is_closed


def order(text: str = "a fox", user: str = "ann") -> Order:
    return Order("test", user, "en", commands.parse("en", text))


def _same(canvas: Canvas, order: Order) -> Canvas:
    return canvas


async def test_delivers_what_was_painted(
    studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(images=2)]
    canvas = Canvas()
    await studio.take(order("a fox --count 2 --seed 7"), canvas)
    await studio.settled()
    assert canvas.delivered == [(2, ("again", "vary", "upscale"))]
    sent = genzo_server.calls[0].request
    assert (sent.prompt, sent.seed, sent.image_count) == ("a fox", 7, 2)
    assert sent.on_disconnect == 2  # CONTINUE: the bot may be restarted


async def test_enlarges_what_was_sent(
    studio: Studio, genzo_server: FakeServer
) -> None:
    seen = threading.Event()

    class Seen(Canvas):
        async def note(self, text: str) -> None:
            await super().note(text)
            seen.set()

    def answer(request: Any, context: Any) -> Iterator[pb.JobEvent]:
        [*_, image, end] = painted()(request, context)
        progress = pb.Progress(step=1, steps=4)
        yield pb.JobEvent(job_id="1", sequence=1, progress=progress)
        seen.wait(20)
        yield image
        yield end

    genzo_server.answers = [answer, answer]
    canvas = Seen()
    wish = commands.parse("en", "--enlarge 2 --upscaler net", b"picture")
    enlarging = Order("test", "ann", "en", wish)
    await studio.take(enlarging, canvas)
    await studio.settled()
    assert canvas.delivered == [(1, ("upscale",))]
    assert canvas.shown[0] == "Tile 1 of 4."
    # What is pressed then makes the same picture twice as large again.
    more = studio.follow_up(enlarging.id, "upscale", Order("test", "ann", "en"))
    await studio.take(more, canvas)
    await studio.settled()
    sent = [call for call in genzo_server.requests if hasattr(call, "factor")]
    assert [each.factor for each in sent] == [2, 4]
    assert [each.upscaler for each in sent] == ["net", "net"]
    assert all(each.picture.data == b"picture" for each in sent)


async def test_says_that_the_service_does_not_take_the_picture(
    studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted()]
    canvas = Canvas(refusals=99)
    await studio.take(order(), canvas)
    await studio.settled()
    assert canvas.delivered == []
    assert canvas.failed == [
        "The picture is painted, but it cannot be sent here."
    ]
    assert studio.find_again("test", lambda _: canvas) == 0


async def test_an_order_whose_place_is_gone_is_closed(
    studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted()]
    canvas = Canvas(is_closed=True)
    await studio.take(order(), canvas)
    await studio.settled()
    assert canvas.refusals == -1  # it was tried once
    assert studio.find_again("test", lambda _: canvas) == 0


async def test_an_order_that_nobody_hears_of_stays_open(
    studio: Studio, genzo_server: FakeServer
) -> None:
    class Away(Canvas):
        async def fail(self, text: str) -> None:
            raise OSError("the service is away")

    genzo_server.answers = [painted(), painted()]
    await studio.take(order(), Away(refusals=99))
    await studio.settled()
    canvas = Canvas()
    assert studio.find_again("test", lambda _: canvas) == 1
    await studio.settled()
    assert len(canvas.delivered) == 1


async def test_what_cannot_be_prepared_was_never_ordered(
    genzo_server: FakeServer, tmp_path: Path
) -> None:
    async def refuse() -> None:
        raise Refused("not here")

    genzo_server.answers = [painted()]
    async with genzo.AsyncClient(genzo_server.address) as client:
        orders = Orders(tmp_path / "o.db")
        studio = Studio(client, orders, Ledger(Limits(running=1, hourly=1)))
        canvas, wanted = Canvas(), order()
        with pytest.raises(Refused, match="not here"):
            await studio.take(wanted, canvas, refuse)
        assert not genzo_server.calls
        assert studio.order(wanted.id) is None
        await studio.take(wanted, canvas)  # the limits are one
        await studio.settled()
        assert len(canvas.delivered) == 1
        orders.close()


async def test_tries_again_until_the_service_takes_it(
    studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted()]
    canvas = Canvas(refusals=3)
    await studio.take(order(), canvas)
    await studio.settled()
    assert len(canvas.delivered) == 1


async def test_says_which_finding_a_picture_is_withheld_for(
    studio: Studio, genzo_server: FakeServer
) -> None:
    def withhold(request: pb.GenerateRequest, context: Any) -> Iterator[Any]:
        for number, safety in enumerate(["nsfw", "nsfw", "new"], start=1):
            yield pb.JobEvent(
                job_id="j",
                sequence=number,
                image_withheld=pb.ImageWithheld(safety=safety),
            )

    genzo_server.answers = [withhold]
    canvas = Canvas()
    await studio.take(order(), canvas)
    await studio.settled()
    assert canvas.failed == [
        "The picture was made and is withheld: new, not safe for work."
    ]


async def test_waits_for_a_server_that_is_away(
    genzo_server: FakeServer, studio: Studio
) -> None:
    def away(request: pb.GenerateRequest, context: Any) -> Iterator[Any]:
        context.abort(grpc.StatusCode.UNAVAILABLE, "no route")
        yield

    # gRPC itself tries again before we do.
    genzo_server.answers = [away] * 5 + [painted()] * 5
    canvas = Canvas()
    await studio.take(order(), canvas)
    await studio.settled()
    assert not canvas.failed
    assert len(canvas.delivered) == 1
    assert len({call.request.request_id for call in genzo_server.calls}) == 1


async def test_takes_an_order_once(
    studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(), painted()]
    canvas = Canvas()
    wanted = order()
    for _ in range(2):
        await studio.take(wanted, canvas)
        await studio.settled()
    assert len(canvas.delivered) == 1


async def test_a_preview_that_is_being_sent_comes_before_the_picture(
    studio: Studio, genzo_server: FakeServer
) -> None:
    """Broken off, it could come after it, or stay beside it."""
    called, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    done: list[str] = []

    class Slow(Canvas):
        async def preview(self, picture: genzo.Picture, text: str) -> None:
            called.set()
            await go_on.wait()
            done.append("preview")

        async def deliver(self, images: Any, offers: Any) -> None:
            done.append("picture")

    def answer(request: pb.GenerateRequest, context: Any) -> Iterator[Any]:
        for event in painted()(request, context):
            yield event
            if event.HasField("preview"):
                shown = asyncio.run_coroutine_threadsafe(called.wait(), loop)
                shown.result(10)

    genzo_server.answers = [answer]
    await studio.take(order(), Slow())
    await called.wait()
    await asyncio.to_thread(genzo_server.calls[0].ended.wait, 10)
    go_on.set()
    await studio.settled()
    assert done == ["preview", "picture"]


async def test_cancels_a_job_that_has_no_id_yet(
    studio: Studio, genzo_server: FakeServer
) -> None:
    begin = threading.Event()

    def answer(request: pb.GenerateRequest, context: Any) -> Iterator[Any]:
        begin.wait(10)
        yield from painted("late")(request, context)

    genzo_server.answers = [answer]
    wanted = order()
    await studio.take(wanted, Canvas())
    with pytest.raises(Refused, match="Only the one who asked"):
        await studio.cancel(wanted.id, "bob", "en")
    await studio.cancel(wanted.id, "ann", "en")
    begin.set()
    await studio.settled()
    assert [request.id for request in genzo_server.requests] == ["late"]


async def test_finds_a_job_again_after_a_restart_and_delivers_it_once(
    genzo_server: FakeServer, tmp_path: Path
) -> None:
    hold = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stuck(request: pb.GenerateRequest, context: Any) -> Iterator[Any]:
        yield pb.JobEvent(job_id="j", sequence=1, queued=pb.Queued())
        loop.call_soon_threadsafe(hold.set)
        while context.is_active():
            time.sleep(0.01)

    genzo_server.answers = [stuck, painted("j"), painted("never")]
    wanted = order()
    for _ in range(2):
        async with genzo.AsyncClient(genzo_server.address) as client:
            orders = Orders(tmp_path / "orders.db")
            studio = Studio(client, orders, Ledger(Limits()))
            canvas = Canvas()
            canvas_of = partial(_same, canvas)
            if not hold.is_set():
                await studio.take(wanted, canvas)
                await hold.wait()
            else:
                assert studio.find_again("test", canvas_of) == 1
                await studio.settled()
                assert len(canvas.delivered) == 1
                assert studio.find_again("test", canvas_of) == 0
            await studio.close()
            orders.close()
    first, second = (call.request for call in genzo_server.calls)
    assert first == second


async def test_says_what_is_wrong_with_a_request(
    studio: Studio, genzo_server: FakeServer
) -> None:
    def refuse(request: pb.GenerateRequest, context: Any) -> Iterator[Any]:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "steps 900 is too many")
        yield

    genzo_server.answers = [refuse]
    canvas = Canvas()
    await studio.take(order(), canvas)
    await studio.settled()
    assert canvas.failed == ["It did not work out: steps 900 is too many"]


async def test_bounds_what_one_person_has_under_way() -> None:
    now = [0.0]
    ledger = Ledger(Limits(running=1, hourly=2), lambda: now[0])
    ledger.begin("ann", "en")
    with pytest.raises(Refused, match="1 pictures under way, the limit is 1"):
        ledger.begin("ann", "en")
    ledger.begin("bob", "en")
    ledger.end("ann")
    ledger.begin("ann", "en")
    ledger.end("ann")
    with pytest.raises(Refused, match="2 pictures in an hour"):
        ledger.begin("ann", "en")
    now[0] = 3601.0
    ledger.begin("ann", "en")


async def test_counts_the_pictures_that_are_drawn() -> None:
    now = [0.0]
    ledger = Ledger(Limits(running=9, hourly=8), lambda: now[0])
    ledger.begin("ann", "en", order("a fox --count 2 --best-of 3").pictures)
    now[0] = 600.0
    entry = ledger.begin("ann", "en", order("a fox --count 4").pictures)
    with pytest.raises(Refused, match=r"8 pictures in an hour.* in 50 min"):
        ledger.begin("ann", "en", 2)
    with pytest.raises(Refused, match=r"8 pictures in an hour.* in 60 min"):
        ledger.begin("ann", "en", 5)
    with pytest.raises(Refused, match="9 pictures to draw, the limit is 8"):
        ledger.begin("ann", "en", 9)
    ledger.begin("ann", "en", 1)
    ledger.take_back("ann", entry)
    ledger.begin("ann", "en", 4)


async def test_a_restart_forgets_no_order_of_the_hour(
    genzo_server: FakeServer, tmp_path: Path
) -> None:
    genzo_server.answers = [painted(), painted(), painted()]
    path, now = tmp_path / "o.db", [0.0]
    limits = Limits(hourly=3)
    async with genzo.AsyncClient(genzo_server.address) as client:
        for _ in range(2):
            orders = Orders(path)
            ledger = Ledger(limits, lambda: now[0])
            studio = Studio(client, orders, ledger)
            if not genzo_server.calls:
                await studio.take(order("a fox --count 3"), Canvas())
            else:
                with pytest.raises(Refused, match=r"3 pictures.* 60 min"):
                    await studio.take(order(), Canvas())
                await studio.take(order(user="bob"), Canvas())
                now[0] = 3601.0
                await studio.take(order(), Canvas())
            await studio.settled()
            orders.close()
    assert len(genzo_server.calls) == 3


def test_reads_a_file_of_before(tmp_path: Path) -> None:
    path, wanted = tmp_path / "o.db", order()
    orders = Orders(path)
    orders.add(wanted)
    orders.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE orders DROP COLUMN seeds")
    orders = Orders(path)
    found = orders.find(wanted.id)
    assert found == wanted
    orders.close()


async def test_the_policy_may_refuse(
    genzo_server: FakeServer, tmp_path: Path
) -> None:
    async def policy(order: Order) -> str | None:
        return "not here" if "gore" in order.request.prompt else None

    async with genzo.AsyncClient(genzo_server.address) as client:
        orders = Orders(tmp_path / "o.db")
        studio = Studio(client, orders, Ledger(Limits()), policy)
        with pytest.raises(Refused, match="not here"):
            await studio.take(order("gore"), Canvas())
        assert not genzo_server.calls
        orders.close()


async def test_an_order_told_again_while_the_policy_thinks_is_taken_once(
    genzo_server: FakeServer, tmp_path: Path
) -> None:
    thought = asyncio.Event()

    async def policy(order: Order) -> None:
        await thought.wait()

    genzo_server.answers = [painted(), painted()]
    async with genzo.AsyncClient(genzo_server.address) as client:
        orders = Orders(tmp_path / "o.db")
        studio = Studio(client, orders, Ledger(Limits(running=1)), policy)
        canvas, wanted = Canvas(), order()
        takings = [
            asyncio.create_task(studio.take(wanted, canvas)) for _ in range(2)
        ]
        await asyncio.sleep(0)  # until both wait for the policy
        thought.set()
        await asyncio.gather(*takings)
        await studio.settled()
        assert len(canvas.delivered) == 1
        await studio.take(order("another"), canvas)  # the limit is one
        await studio.settled()
        assert len(canvas.delivered) == 2
        orders.close()


async def test_an_order_that_cannot_be_kept_counts_for_nothing(
    genzo_server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(order: Order) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    genzo_server.answers = [painted()]
    async with genzo.AsyncClient(genzo_server.address) as client:
        orders = Orders(tmp_path / "o.db")
        studio = Studio(client, orders, Ledger(Limits(running=1, hourly=1)))
        canvas = Canvas()
        with monkeypatch.context() as patched:
            patched.setattr(orders, "add", full)
            with pytest.raises(sqlite3.OperationalError):
                await studio.take(order(), canvas)
        await studio.take(order(), canvas)
        await studio.settled()
        assert len(canvas.delivered) == 1
        orders.close()


async def test_another_may_not_cancel(
    studio: Studio, genzo_server: FakeServer
) -> None:
    with pytest.raises(Refused, match="too old"):
        await studio.cancel("unknown", "ann", "en")


def test_follow_ups_keep_the_rest_of_the_request(studio: Studio) -> None:
    before = order("a fox --seed 7 --steps 9")
    studio._orders.add(before)
    asker = Order("test", "bob", "en")
    varied = studio.follow_up(before.id, "vary", asker).request
    assert (varied.prompt, varied.seed, varied.steps) == ("a fox", 7, 9)
    assert varied.variation.strength > 0
    assert varied.request_id != before.id
    again = studio.follow_up(before.id, "again", asker).request
    assert again.seed != 7
    with pytest.raises(Refused):
        studio.follow_up("unknown", "again", asker)


@pytest.mark.parametrize(("number", "seed"), [(0, 12), (1, 13)])
async def test_a_follow_up_is_for_the_picture_that_was_chosen(
    studio: Studio, genzo_server: FakeServer, number: int, seed: int
) -> None:
    genzo_server.answers = [painted(images=2, first_seed=5)]
    before = order("a fox --seed 7 --count 2 --best-of 8")
    await studio.take(before, Canvas())
    await studio.settled()
    asker = Order("test", "bob", "en")
    for wish in ("vary", "upscale"):
        request = studio.follow_up(before.id, wish, asker, number).request
        assert (request.seed, request.image_count) == (seed, 1)
        assert not request.HasField("best_of")
    again = studio.follow_up(before.id, "again", asker).request
    assert (again.best_of.draw, again.image_count) == (8, 2)
