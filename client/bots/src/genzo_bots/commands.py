"""A request from what people type: `a red fox --steps 20 --seed 7`, and from
the picture that they send with it."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from genzo import Control, ImagePrompt, requests
from genzo.v1 import image_generation_pb2 as pb
from genzo_bots import words
from genzo_bots.limits import Refused

# Of every bot's requests: the job outlives its reader, and is small to send.
_DEFAULTS: requests.Options = {
    "on_disconnect": "continue",
    "preview_format": "jpeg",
    "preview_longest_side": 512,
}
# Phones make one long dash of two; but people use long ones in sentences too.
_OPTION = re.compile(r"(?<!\S)(--(?!-)|[—–])(?P<name>[^\s=]+)")
# One word, or several in quotes: a keyboard's or a phone's.
_VALUE = re.compile(
    r"""(?:=|\s+)(["“”].*?["“”]|['‘’].*?['‘’]|\S+)(?!\S)""",
    re.DOTALL,
)
_QUOTES = ('"“”', "'‘’")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)

    def knows(self, name: str) -> bool:
        return f"--{name}" in self._option_string_actions

    def takes_value(self, name: str) -> bool:
        action = self._option_string_actions.get(f"--{name}")
        return action is not None and action.nargs != 0


def _parser() -> _Parser:
    parser = _Parser(prog="/imagine", add_help=False, allow_abbrev=False)
    parser.add_argument("--negative", "--no", dest="negative_prompt")
    parser.add_argument("--model")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", dest="guidance_scale", type=float)
    parser.add_argument("--sampler")
    parser.add_argument("--schedule")
    parser.add_argument("--width", type=int)
    parser.add_argument("--height", type=int)
    parser.add_argument("--count", dest="image_count", type=int)
    parser.add_argument("--best-of", type=int)
    parser.add_argument("--lora", dest="loras", action="append")
    parser.add_argument("--weighted", action="store_const", const=True)
    parser.add_argument("--larger", dest="hires", action="store_const", const=2)
    parser.add_argument("--upscaler")
    # Of the picture that comes along.
    parser.add_argument("--strength", type=float)
    parser.add_argument("--shows")
    parser.add_argument("--control")
    parser.add_argument("--look")
    return parser


def _use_picture(
    language: str, picture: bytes | None, options: dict[str, Any]
) -> None:
    """Puts the picture where the options have it: followed by a control
    network, read as a prompt, or, without a word of those, started from."""
    control, look = options.pop("control", None), options.pop("look", None)
    shows = options.pop("shows", None)
    if picture is None:
        if control or look or shows or "strength" in options:
            raise Refused(words.say(language, "no_start"))
        return
    if control:
        edges = "canny" if "canny" in control.lower() else "none"
        options["controls"] = [Control(control, picture, edges)]
    if look:
        options["image_prompts"] = [ImagePrompt(look, [picture])]
    if not control and not look:
        options["image"] = picture
    if shows:
        options["inversion_prompt"] = shows


def build(
    language: str,
    prompt: str,
    options: dict[str, Any],
    picture: bytes | None = None,
) -> pb.GenerateRequest:
    """A request with an id and a seed, from options by the names that
    `generate` of the client has for them; and `control`, `look` and `shows`,
    which say what `picture` is for. Refused says what is wrong."""
    if not prompt.strip():
        raise Refused(words.say(language, "no_prompt"))
    wanted: dict[str, Any] = {**_DEFAULTS, **options}
    _use_picture(language, picture, wanted)
    try:
        return requests.build(prompt.strip(), wanted)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise Refused(words.say(language, "invalid", error)) from None


def _unquoted(value: str) -> str:
    for quotes in _QUOTES:
        if len(value) > 1 and value[0] in quotes and value[-1] in quotes:
            return value[1:-1]
    return value


def _split(text: str, parser: _Parser) -> tuple[str, list[str]]:
    """The prompt as it was typed, and the options, each with its value."""
    found = [
        option
        for option in _OPTION.finditer(text)
        if option[1] == "--" or parser.knows(option["name"])
    ]
    starts = {option.start() for option in found}
    prompt: list[str] = []
    options: list[str] = []
    end = 0
    for option in found:
        if option.start() < end:
            continue  # in the value of the one before
        prompt.append(text[end : option.start()].strip())
        name, end = option["name"], option.end()
        value = _VALUE.match(text, end)
        if value and (
            value[0].startswith("=")
            or (parser.takes_value(name) and value.start(1) not in starts)
        ):
            options.append(f"--{name}={_unquoted(value[1])}")
            end = value.end()
        else:
            options.append(f"--{name}")
    prompt.append(text[end:].strip())
    return " ".join(filter(None, prompt)), options


def parse(
    language: str, text: str, picture: bytes | None = None
) -> pb.GenerateRequest:
    """As `build`, from one line of text: the prompt is what is no option."""
    parser = _parser()
    prompt, typed = _split(text, parser)
    try:
        found = vars(parser.parse_args(typed))
    except ValueError as error:
        raise Refused(words.say(language, "invalid", error)) from None
    options = {key: value for key, value in found.items() if value is not None}
    return build(language, prompt, options, picture)
