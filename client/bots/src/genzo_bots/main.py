"""The command line: `genzo-bots SERVICE`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web

import genzo
from genzo.connection import ConnectionOptions
from genzo_bots.limits import Ledger, Limits
from genzo_bots.orders import Orders
from genzo_bots.picture_urls import PictureUrls
from genzo_bots.studio import Policy, Studio

_SERVICES = ("discord", "line", "telegram", "slack")
# Secrets come from the environment, where `ps` does not show them.
_SECRETS = {
    "discord": (
        "DISCORD_TOKEN",
        "DISCORD_APPLICATION_ID",
        "DISCORD_PUBLIC_KEY",
    ),
    "line": ("LINE_CHANNEL_SECRET", "LINE_CHANNEL_ACCESS_TOKEN"),
    "telegram": ("TELEGRAM_TOKEN",),
    "slack": ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"),
}
# LINE and Slack fetch pictures themselves.
_NEED_PUBLIC_URL = ("line", "slack")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="genzo-bots",
        description="A chat bot of the Genzo image service.",
        epilog="Secrets come from the environment: "
        + "; ".join(f"{s}: {', '.join(v)}" for s, v in _SECRETS.items())
        + "; GENZO_API_KEY and GENZO_CA_FILE as for genzo.",
    )
    parser.add_argument("service", choices=_SERVICES)
    parser.add_argument(
        "--server", default="127.0.0.1:50051", help="Genzo's address"
    )
    parser.add_argument("--tls", action="store_true", help="talk TLS to it")
    parser.add_argument(
        "--listen",
        default="127.0.0.1:8090",
        help="where webhooks arrive; GET /healthz answers there, too",
    )
    parser.add_argument(
        "--public-url",
        help="what --listen is called from outside, https://...",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path("genzo-bots"),
        metavar="FOLDER",
        help="open orders, and pictures that a service fetches",
    )
    parser.add_argument(
        "--running", type=int, default=2, help="orders at once, a person"
    )
    parser.add_argument(
        "--hourly",
        type=int,
        default=60,
        help="pictures drawn in an hour, a person",
    )
    parser.add_argument(
        "--api-url",
        default="",
        help="the service's API, if not at its own address",
    )
    parser.add_argument(
        "--policy",
        metavar="MODULE:FUNCTION",
        help="called with every order; the text that it returns refuses it",
    )
    return parser


def _policy(name: str | None) -> Policy | None:
    if name is None:
        return None
    module, _, function = name.partition(":")
    policy: Policy = getattr(importlib.import_module(module), function)
    return policy


def _bot(options: argparse.Namespace, studio: Studio) -> Any:
    keys = [os.environ[name] for name in _SECRETS[options.service]]
    if options.api_url:
        keys.append(options.api_url)
    match options.service:
        case "discord":
            from genzo_bots.discord_bot import DiscordBot

            return DiscordBot(studio, *keys)
        case "line":
            from genzo_bots.line_bot import LineBot

            return LineBot(studio, _urls(options), *keys)
        case "telegram":
            from genzo_bots.telegram_bot import TelegramBot

            return TelegramBot(studio, *keys)
        case _:
            from genzo_bots.slack_bot import SlackBot

            return SlackBot(studio, _urls(options), *keys)


def _urls(options: argparse.Namespace) -> PictureUrls:
    """Below the webhook's own path: one address may lead to several bots."""
    return PictureUrls(
        options.public_url,
        f"/{options.service}/pictures",
        options.state / "pictures",
    )


async def _health(request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _connection(tls: bool) -> ConnectionOptions:
    connection: ConnectionOptions = {"tls": tls}
    if key := os.environ.get("GENZO_API_KEY"):
        connection["key"] = key
    if authorities := os.environ.get("GENZO_CA_FILE"):
        connection["credentials"] = grpc.ssl_channel_credentials(
            Path(authorities).read_bytes()
        )
    return connection


async def _run(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    options.state.mkdir(parents=True, exist_ok=True)
    orders = Orders(options.state / "orders.db")
    ledger = Ledger(Limits(options.running, options.hourly))
    client = genzo.AsyncClient(options.server, **_connection(options.tls))
    async with client:
        studio = Studio(client, orders, ledger, _policy(options.policy))
        bot = _bot(options, studio)
        await bot.start()
        app = web.Application()
        app.router.add_get("/healthz", _health)
        if hasattr(bot, "add_route"):
            bot.add_route(app)
        runner = web.AppRunner(app)
        await runner.setup()
        host, _, port = options.listen.rpartition(":")
        await web.TCPSite(runner, host, int(port)).start()
        host, port = runner.addresses[0][:2]
        print(f"{options.service} ready on {host}:{port}", flush=True)
        await stopped.wait()
        await runner.cleanup()
        await studio.close()
        await bot.close()
    orders.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one bot until SIGTERM or Ctrl-C. What is under way then is found
    again at the next start."""
    parser = _arguments()
    options = parser.parse_args(arguments)
    missing = [n for n in _SECRETS[options.service] if n not in os.environ]
    if missing:
        parser.error(f"not in the environment: {', '.join(missing)}")
    if options.service in _NEED_PUBLIC_URL and not options.public_url:
        parser.error(f"{options.service} needs --public-url")
    if options.service in _NEED_PUBLIC_URL and not str(
        options.public_url
    ).startswith("https://"):
        parser.error(f"--public-url {options.public_url} is not https://...")
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    # Its lines have the address, and Telegram's has the token.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(_run(options))


if __name__ == "__main__":
    main()
