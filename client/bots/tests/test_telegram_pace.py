"""How often one chat is written to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

import genzo
from genzo_bots.orders import Order
from genzo_bots.studio import Studio
from genzo_bots.telegram_bot import _Canvas
from genzo_bots.telegram_pace import CALLS, ChatLimiter


class Clock:
    """What is to be called after so many seconds."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.waiting.append((seconds, call))


class Service:
    """Takes calls, and answers each when it is told to."""

    def __init__(self) -> None:
        self.heard: list[asyncio.Event] = []

    async def call(self) -> bool:
        answer = asyncio.Event()
        self.heard.append(answer)
        await answer.wait()
        return True


def write(limiter: ChatLimiter, service: Service, chat: int) -> Any:
    return asyncio.create_task(
        limiter.process_request(
            service.call, (), {}, "editMessageMedia", {"chat_id": chat}, None
        )
    )


async def idle() -> None:
    """Until nothing goes on by itself."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("chat", [5, -100])
async def test_a_place_is_free_a_minute_after_the_answer(chat: int) -> None:
    clock, service = Clock(), Service()
    limiter = ChatLimiter(clock.later)
    calls = [write(limiter, service, chat) for _ in range(CALLS + 1)]
    other = write(limiter, service, chat + 1)
    await idle()
    assert len(service.heard) == CALLS + 1  # the other chat's among them
    assert limiter.room(chat) <= 0
    # However long an answer takes, the minute begins with it.
    assert clock.waiting == []
    service.heard[0].set()
    await idle()
    [(seconds, free)] = clock.waiting
    assert (seconds, len(service.heard)) == (60.0, CALLS + 1)
    free()
    await idle()
    assert len(service.heard) == CALLS + 2
    for answer in service.heard:
        answer.set()
    await asyncio.gather(*calls, other)
    assert limiter.room(chat) == 0
    for _, free in clock.waiting[1:]:
        free()
    assert limiter.room(chat) == CALLS


class Bot:
    """Its calls, by name."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return SimpleNamespace(message_id=len(self.calls))

        return call


async def test_previews_leave_room_for_the_picture(studio: Studio) -> None:
    limiter, service, bot = ChatLimiter(Clock().later), Service(), Bot()
    calls = [write(limiter, service, -100) for _ in range(CALLS - 6)]
    await idle()
    order = Order("telegram", "1", "en", address={"chat": -100})
    canvas = _Canvas(cast(Any, bot), limiter, studio, order)
    await canvas.note("Queued.")
    await canvas.note("Step 1.")
    calls.append(write(limiter, service, -100))
    await idle()
    await canvas.note("Step 2.")
    rough = genzo.Picture(b"rough", "image/jpeg", 8, 8)
    await canvas.preview(rough, "Step 2.")
    assert bot.calls == ["send_message", "edit_message_text"]
    image = genzo.Image(
        job_id="1", sequence=1, image_index=0, seed=7, picture=rough
    )
    await canvas.deliver((image,), ("again",))
    assert bot.calls[2:] == ["send_photo", "delete_message"]
    for call in calls:
        call.cancel()
