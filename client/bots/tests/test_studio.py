from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from conftest import painted
from fake_server import FakeServer

import genzo
from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import types_pb2 as types
from genzo_bots import commands, words
from genzo_bots.limits import Ledger, Limits, Refused
from genzo_bots.orders import Order, Orders
from genzo_bots.picture_urls import PictureUrls
from genzo_bots.studio import Studio


@dataclass
class Canvas:
    seconds_between_updates: float = 0.0
    shown: list[str] = field(default_factory=list)
    delivered: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    refusals: int = 0

    async def note(self, text: str) -> None:
        self.shown.append(text)

    async def preview(self, picture: genzo.Picture, text: str) -> None:
        self.shown.append(picture.data[2:].decode())

    async def deliver(self, images: Any, offers: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError("the service is away")
        self.delivered.append((len(images), offers))

    async def fail(self, text: str) -> None:
        self.failed.append(text)


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


_AWAY = "The server cannot be reached. Try again later."


@pytest.mark.parametrize(
    ("code", "reason", "retry_after", "text"),
    [
        ("UNAVAILABLE", "QUEUE_FULL", 7.0, "is full. Try again in 7 s."),
        ("RESOURCE_EXHAUSTED", "TOO_MANY_STREAMS", None, "again in 30 s."),
        ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", 90.0, "again in 90 s."),
        ("UNAVAILABLE", "", None, _AWAY),
        ("UNAVAILABLE", "MODEL_LOADING", 5.0, "did not work out: why"),
        ("RESOURCE_EXHAUSTED", "READER_TOO_SLOW", None, "work out: why"),
        ("RESOURCE_EXHAUSTED", "", None, "did not work out: why"),
    ],
)
def test_says_why_there_is_no_picture_now(
    code: str, reason: str, retry_after: float | None, text: str
) -> None:
    fault = genzo.Unavailable(
        "why", code=code, reason=reason, retry_after=retry_after
    )
    assert words.error("en", fault).endswith(text)


def test_says_in_japanese_that_the_server_is_away() -> None:
    fault = genzo.Unavailable("why", code="UNAVAILABLE")
    assert words.error("ja", fault) == (
        "サーバーに接続できません。しばらくしてからお試しください。"
    )


def test_a_deadline_that_cannot_be_kept_is_said_as_it_is() -> None:
    fault = genzo.TimedOut(
        "it would take 90 s",
        code="RESOURCE_EXHAUSTED",
        reason="DEADLINE_UNREACHABLE",
        retry_after=5,
    )
    assert words.error("en", fault) == "It did not work out: it would take 90 s"


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


@pytest.mark.parametrize(
    ("text", "prompt", "steps"),
    [
        ("a fox --steps 5", "a fox", 5),
        ("a fox —steps 5 in snow", "a fox in snow", 5),
        ("a fox's tail", "a fox's tail", 0),
        ("it's a dog's bone", "it's a dog's bone", 0),
        ("a fox’s tail –steps=3", "a fox’s tail", 3),
        (r"saber \(fate\) --weighted", r"saber \(fate\)", 0),
        ('a sign that says "hello world"', 'a sign that says "hello world"', 0),
        ("a fox — in the snow --steps 3", "a fox — in the snow", 3),
        ("a fox —beautiful", "a fox —beautiful", 0),
        ("a fox -- in snow, -5 degrees", "a fox -- in snow, -5 degrees", 0),
        ("a fox\n  in snow --steps 3\n", "a fox\n  in snow", 3),
        ("雪の中の　狐　--steps　3", "雪の中の　狐", 3),
    ],
)
def test_reads_what_people_type(text: str, prompt: str, steps: int) -> None:
    found = commands.parse("en", text)
    assert (found.prompt, found.steps) == (prompt, steps)


@pytest.mark.parametrize(
    ("typed", "negative"),
    [
        ("--no blur", "blur"),
        ('--negative "bad hands, --steps 9"', "bad hands, --steps 9"),
        ("—negative “bad hands”", "bad hands"),
        ("--negative='a dog's bone'", "a dog's bone"),
        ("--no dog's", "dog's"),
        (r"--no \(fate\)", r"\(fate\)"),
        ('--no ""', ""),
    ],
)
def test_unquotes_the_value_of_an_option(typed: str, negative: str) -> None:
    found = commands.parse("en", f"a fox {typed} in snow --steps 3")
    assert found.negative_prompt == negative
    assert (found.prompt, found.steps) == ("a fox in snow", 3)


def test_reads_what_steers() -> None:
    text = "a (red:1.3) fox --weighted --lora ink:0.5 --lora snow --best-of 4"
    found = commands.parse("en", text + " --larger")
    assert found.prompt_syntax == types.PROMPT_SYNTAX_WEIGHTED
    assert [use.name for use in found.loras] == ["ink", "snow"]
    assert (found.best_of.draw, found.hires.factor) == (4, 2)
    found = commands.parse("en", "a fox --control my-canny", b"picture")
    [control] = found.controls
    assert control.preprocessor == pb.ControlInput.PREPROCESSOR_CANNY
    assert control.picture.data == b"picture"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "--steps x fox",
        "fox --steps",
        "fox --no —seed 7",
        "fox --beautiful",
        "fox --ar 16:9",
        "fox --weighted=1",
        "fox --sampler magic",
        "fox --strength 1",
        "fox --lora ink:much",
    ],
)
def test_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(Refused):
        commands.parse("en", text)


async def test_picture_addresses_expire_and_cannot_be_made_up(
    tmp_path: Path,
) -> None:
    from aiohttp import ClientSession, web

    now = [1000.0]
    app = web.Application()
    urls = PictureUrls(
        "", "/line/pictures", tmp_path, kept_seconds=60, now=lambda: now[0]
    )
    urls.add_route(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    path = urls.add(genzo.Picture(b"jpg", "image/jpeg", 8, 8))
    # The next start signs as this one did.
    again = PictureUrls(
        "", "/line/pictures", tmp_path, kept_seconds=60, now=lambda: now[0]
    )
    assert again.add(genzo.Picture(b"jpg", "image/jpeg", 8, 8)) == path
    async with ClientSession(f"http://{host}:{port}") as session:

        async def status(address: str) -> int:
            async with session.get(address) as answer:
                return answer.status

        assert await status(path) == 200
        assert await status(path.replace("signature=", "signature=0")) == 403
        later = path.replace("expires=1060", "expires=9060")
        assert await status(later) == 403
        now[0] = 2000.0
        assert await status(path) == 410
    await runner.cleanup()


def test_pictures_over_the_budget_go_oldest_first(tmp_path: Path) -> None:
    now = [1000.0]
    urls = PictureUrls(
        "", "/line/pictures", tmp_path, budget_bytes=25, now=lambda: now[0]
    )
    for number in range(4):
        now[0] += 1
        data = bytes([number]) * 10
        urls.add(genzo.Picture(data, "image/png", 8, 8))
    kept = {f.read_bytes()[0] for f in tmp_path.glob("*.png")}
    assert kept == {2, 3}
    now[0] += 100_000
    urls.add(genzo.Picture(b"new", "image/png", 8, 8))
    assert [f.read_bytes() for f in tmp_path.glob("*.png")] == [b"new"]
