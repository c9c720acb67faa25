"""Every bot as it is started, in front of genzo-server and the model that ships
with it; GENZO_SERVER_BINARY names the server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from discord_service import KEY, Discord, payload
from line_service import SECRET as LINE_SECRET
from line_service import Line
from line_service import press as line_press
from line_service import text as line_text
from slack_service import SECRET as SLACK_SECRET
from slack_service import Slack
from stand_in import StandIn, stand_in_at
from telegram_service import Telegram, buttons

from genzo_bots.orders import Orders

_REPOSITORY = Path(__file__).resolve().parents[3]
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# Long enough for several previews at the pace of a chat.
_WISH = "a red fox in the snow --steps 100 --width 256 --height 256 --seed "
_PUBLIC_URL = "https://bots.example.org"
_PATIENCE = 240.0

pytestmark = pytest.mark.skipif(
    not os.environ.get("GENZO_SERVER_BINARY"),
    reason="GENZO_SERVER_BINARY names no genzo-server",
)


@dataclass
class Server:
    address: str
    admin: str


@asynccontextmanager
async def program(
    *command: str, **environment: str
) -> AsyncIterator[tuple[Any, str]]:
    """A process, and the address that its first line ends with."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "OMP_WAIT_POLICY": "passive",
            "OMP_NUM_THREADS": "1",
            **environment,
        },
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, f"{command} did not start"
    try:
        yield process, line.decode().split()[-1]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def serve(admin: str, cache: Path) -> AsyncIterator[Server]:
    async with program(
        os.environ["GENZO_SERVER_BINARY"],
        *("--config", str(_REPOSITORY / "deploy/genzo.yaml")),
        *("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"),
        *("--admin", admin),
        *("--log-level", "error"),
        XDG_CACHE_HOME=str(cache),
    ) as (_, address):
        yield Server(address, admin)


@pytest.fixture
async def server(unused_tcp_port: int, tmp_path: Path) -> AsyncIterator[Server]:
    """It takes rows to be free. What it measures beside other work may say that
    none are worth their while, and then nobody shares an evaluation."""
    admin = f"127.0.0.1:{unused_tcp_port}"
    async with serve(admin, tmp_path):
        pass  # it has measured once it is ready
    path = tmp_path / "genzo/emaki.json"
    profile = json.loads(path.read_text())
    profile["step_seconds"] = {"1": 0.1, "32": 0.1}
    path.write_text(json.dumps(profile))
    async with serve(admin, tmp_path) as served:
        yield served


@dataclass
class Chat:
    """One person with one bot at one service."""

    service: str
    api: StandIn
    environment: dict[str, str]
    order: Callable[[str], Awaitable[Any]]
    previews: Callable[[], Awaitable[list[bytes]]]
    pictures: Callable[[], Awaitable[list[bytes]]]
    # Presses a button of the finished picture.
    press: Callable[[str], Awaitable[Any]]
    address: str = ""
    process: Any = None
    set_address: Callable[[str], None] = field(default=lambda address: None)

    async def until(
        self, enough: Callable[[], Awaitable[list[bytes]]], count: int = 1
    ) -> list[bytes]:
        async with asyncio.timeout(_PATIENCE):
            while True:
                # First: what changes while it is looked at counts.
                self.api.changed.clear()
                if len(found := await enough()) >= count:
                    return found
                await self.api.changed.wait()


def discord_chat(api: StandIn, session: ClientSession) -> Chat:
    side = Discord(api, "", session)

    async def files(start: str) -> list[bytes]:
        return [
            heard.files["files[0]"]
            for heard in api.calls("PATCH", "@original")
            if "files[0]" in heard.files
            and payload(heard)["attachments"][0]["filename"].startswith(start)
        ]

    async def order(words: str) -> None:
        prompt, *rest = words.split(" --")
        options: dict[str, Any] = {"prompt": prompt}
        for option in rest:
            name, value = option.split()
            options[name] = int(value)
        answer = await side.send(side.imagine(**options))
        assert answer["type"] == 5  # deferred

    async def press(wish: str) -> None:
        found = [
            button["custom_id"]
            for edit in side.edits()
            for row in edit["components"]
            for button in row["components"]
        ]
        wanted = [name for name in found if name.startswith(wish)][-1]
        assert (await side.send(side.press(wanted)))["type"] in (5, 6)

    return Chat(
        "discord",
        api,
        {
            "DISCORD_TOKEN": "token",
            "DISCORD_APPLICATION_ID": "42",
            "DISCORD_PUBLIC_KEY": KEY.verify_key.encode().hex(),
        },
        order,
        lambda: files("preview"),
        lambda: files("genzo-"),
        press,
        set_address=lambda a: setattr(side, "endpoint", f"http://{a}/discord"),
    )


def line_chat(api: StandIn, session: ClientSession) -> Chat:
    side = Line(api, "", session)
    events = iter(range(100))

    async def shown(kind: str) -> list[bytes]:
        urls = [
            message["originalContentUrl"]
            if kind == "image"
            else message["contents"]["hero"]["url"]
            for message in side.pushed()
            if message["type"] == kind
        ]
        return [await fetch(session, chat, url) for url in urls]

    async def order(words: str) -> None:
        assert await side.send(line_text(f"{next(events)}", words)) == 200

    async def press(wish: str) -> None:
        offered = [
            button["action"]["data"]
            for message in side.pushed()
            if message["type"] == "flex"
            for button in message["contents"]["footer"]["contents"]
        ]
        offered += [
            item["action"]["data"]
            for message in side.replies()
            for item in message["quickReply"]["items"]
        ]
        wanted = [data for data in offered if data.startswith(wish)][-1]
        assert await side.send(line_press(f"{next(events)}", wanted)) == 200

    chat = Chat(
        "line",
        api,
        {
            "LINE_CHANNEL_SECRET": LINE_SECRET,
            "LINE_CHANNEL_ACCESS_TOKEN": "access-token",
        },
        order,
        lambda: shown("image"),
        lambda: shown("flex"),
        press,
        set_address=lambda a: setattr(side, "endpoint", f"http://{a}/line"),
    )
    return chat


def slack_chat(api: StandIn, session: ClientSession) -> Chat:
    side = Slack(api, "", session)

    async def previews() -> list[bytes]:
        return [
            await fetch(session, chat, block["image_url"])
            for shown in side.shown()
            for block in shown
            if block["type"] == "image"
        ]

    async def pictures() -> list[bytes]:
        return [
            heard.files["body"]
            for heard in api.calls("POST", "/upload/")
            if "body" in heard.files
        ]

    async def order(words: str) -> None:
        assert await side.imagine(words) == 200

    async def press(wish: str) -> None:
        wanted = [
            element["value"]
            for shown in side.shown()
            for block in shown
            if block["type"] == "actions"
            for element in block["elements"]
            if element["action_id"] == wish
        ]
        assert await side.press(wish, wanted[-1]) == 200

    chat = Chat(
        "slack",
        api,
        {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": SLACK_SECRET},
        order,
        previews,
        pictures,
        press,
        set_address=lambda a: setattr(side, "endpoint", f"http://{a}/slack"),
    )
    return chat


def telegram_chat(api: StandIn, session: ClientSession) -> Chat:
    side = Telegram(api)

    async def photos(start: bytes) -> list[bytes]:
        return [
            data
            for heard in side.photos()
            for data in heard.files.values()
            if data.startswith(start)
        ]

    async def order(words: str) -> None:
        side.imagine(words)

    async def press(wish: str) -> None:
        offered = [
            button["callback_data"]
            for heard in side.photos()
            for button in buttons(heard)
        ]
        side.press([data for data in offered if data.startswith(wish)][-1])

    return Chat(
        "telegram",
        api,
        {"TELEGRAM_TOKEN": "7:token"},
        order,
        lambda: photos(_JPEG),
        lambda: photos(_PNG),
        press,
    )


_CHATS = [discord_chat, line_chat, slack_chat, telegram_chat]


async def fetch(session: ClientSession, chat: Chat, url: str) -> bytes:
    """A picture, as the service reads it through the proxy with TLS."""
    assert url.startswith(_PUBLIC_URL)
    inside = f"http://{chat.address}{url.removeprefix(_PUBLIC_URL)}"
    async with session.get(inside) as answer:
        assert answer.status == 200
        return await answer.read()


@asynccontextmanager
async def started(chat: Chat, server: Server, state: Path) -> Any:
    public = ["--public-url", _PUBLIC_URL]
    # Where its library asks for a path below the API's address.
    api = chat.api.url + ("/api/" if chat.service == "slack" else "")
    async with program(
        *(sys.executable, "-m", "genzo_bots.main", chat.service),
        *("--server", server.address, "--listen", "127.0.0.1:0"),
        *("--state", str(state / chat.service), "--api-url", api),
        *(public if chat.service in ("line", "slack") else []),
        **chat.environment,
    ) as (process, address):
        chat.address, chat.process = address, process
        chat.set_address(address)
        yield chat


@pytest.fixture
async def chats() -> AsyncIterator[list[Chat]]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession())
        made = [
            make(await stack.enter_async_context(stand_in_at()), session)
            for make in _CHATS
        ]
        yield made
        assert [wrong for chat in made for wrong in chat.api.wrong] == []


async def figure(server: Server, name: str) -> float:
    """A metric, its labels' values added up."""
    async with (
        ClientSession() as session,
        session.get(f"http://{server.admin}/metrics") as answer,
    ):
        text = await answer.text()
    found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


async def test_pictures_develop_in_every_chat(
    server: Server, chats: list[Chat], tmp_path: Path
) -> None:
    async def develop(number: int, chat: Chat) -> None:
        await chat.order(f"{_WISH}{number}")
        wanted = 1 if chat.service == "line" else 2
        previews = await chat.until(chat.previews, wanted)
        assert len(set(previews)) == len(previews)
        assert all(data.startswith(_JPEG) for data in previews)
        [picture] = await chat.until(chat.pictures)
        assert picture.startswith(_PNG)
        # What is pressed below it is painted, too.
        await chat.press("vary")
        _, other = await chat.until(chat.pictures, 2)
        assert other.startswith(_PNG)
        assert other != picture

    async with AsyncExitStack() as stack:
        for chat in chats:
            await stack.enter_async_context(started(chat, server, tmp_path))
        async with asyncio.TaskGroup() as group:
            for number, chat in enumerate(chats):
                group.create_task(develop(number, chat))
    assert await figure(server, "genzo_jobs_total") == 2 * len(chats)
    # Their pictures shared evaluations: alone, each has two rows of one.
    evaluations = await figure(server, "genzo_denoise_batches_total")
    rows = await figure(server, "genzo_batch_size_sum")
    assert rows > 3 * evaluations, f"{rows} rows in {evaluations}"


async def test_a_bot_that_is_killed_delivers_once(
    server: Server, chats: list[Chat], tmp_path: Path
) -> None:
    async def survive(number: int, chat: Chat) -> None:
        async with started(chat, server, tmp_path):
            await chat.order(f"{_WISH}{number}")
            await chat.until(chat.previews)
            chat.process.send_signal(signal.SIGKILL)
            await chat.process.wait()
            assert await chat.pictures() == []
        async with started(chat, server, tmp_path):
            [picture] = await chat.until(chat.pictures)
            assert picture.startswith(_PNG)
        orders = Orders(tmp_path / chat.service / "orders.db")
        assert orders.open_orders(chat.service) == []
        orders.close()
        # Addresses of pictures outlive the bot, too.
        async with started(chat, server, tmp_path):
            assert await chat.pictures() == [picture]

    async with asyncio.TaskGroup() as group:
        for number, chat in enumerate(chats):
            group.create_task(survive(number, chat))
    assert await figure(server, "genzo_jobs_total") == len(chats)
