"""The command line: `genzo-bots SERVICE`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import secrets
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

import genzo
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
        + "; GENZO_KEY for a server that asks for one.",
    )
    parser.add_argument("service", choices=_SERVICES)
    parser.add_argument(
        "--server", default="127.0.0.1:50051", help="Genzo's address"
    )
    parser.add_argument("--tls", action="store_true", help="talk TLS to it")
    parser.add_argument(
        "--listen",
        default="127.0.0.1:8090",
        help="where webhooks arrive (not for telegram)",
    )
    parser.add_argument(
        "--public-url",
        help="what --listen is called from outside, https://...",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path("genzo-bots.db"),
        help="file of open orders",
    )
    parser.add_argument(
        "--running", type=int, default=2, help="pictures at once, a person"
    )
    parser.add_argument(
        "--hourly", type=int, default=60, help="orders an hour, a person"
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
    urls = PictureUrls(
        options.public_url or "http://localhost",
        os.environ.get("GENZO_BOTS_SECRET", secrets.token_hex()).encode(),
    )
    match options.service:
        case "discord":
            from genzo_bots.discord_bot import DiscordBot

            return DiscordBot(studio, *keys)
        case "line":
            from genzo_bots.line_bot import LineBot

            return LineBot(studio, urls, *keys)
        case "telegram":
            from genzo_bots.telegram_bot import TelegramBot

            return TelegramBot(studio, *keys)
        case _:
            from genzo_bots.slack_bot import SlackBot

            return SlackBot(studio, urls, *keys)


async def _run(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    orders = Orders(options.state)
    ledger = Ledger(Limits(options.running, options.hourly))
    connection: dict[str, Any] = {"tls": options.tls}
    if key := os.environ.get("GENZO_KEY"):
        connection["key"] = key
    client = genzo.AsyncClient(options.server, **connection)
    async with client:
        studio = Studio(client, orders, ledger, _policy(options.policy))
        bot = _bot(options, studio)
        await bot.start()
        runner = None
        if hasattr(bot, "add_route"):
            app = web.Application()
            bot.add_route(app)
            runner = web.AppRunner(app)
            await runner.setup()
            host, _, port = options.listen.rpartition(":")
            await web.TCPSite(runner, host, int(port)).start()
            print(
                f"{options.service}: POST http://{options.listen}"
                f"/{options.service}",
                flush=True,
            )
        else:
            print(f"{options.service}: polling", flush=True)
        await stopped.wait()
        if runner is not None:
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
    asyncio.run(_run(options))


if __name__ == "__main__":
    main()
