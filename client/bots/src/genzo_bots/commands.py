"""A request from what people type: `a red fox --steps 20 --seed 7`, and from
the picture that they send with it."""

from __future__ import annotations

import argparse
import shlex
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
_DASHES = str.maketrans({"—": "--", "–": "--"})  # what phones make of two
_QUOTES = str.maketrans({"“": '"', "”": '"', "’": "'", "　": " "})


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parser() -> _Parser:
    parser = _Parser(prog="/imagine", add_help=False)
    parser.add_argument("prompt", nargs="*")
    parser.add_argument("--negative", "--no", dest="negative_prompt")
    parser.add_argument("--model")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", dest="guidance_scale", type=float)
    parser.add_argument("--sampler")
    parser.add_argument("--width", type=int)
    parser.add_argument("--height", type=int)
    parser.add_argument("--count", dest="image_count", type=int)
    parser.add_argument("--best-of", type=int)
    parser.add_argument("--lora", dest="loras", action="append")
    parser.add_argument("--weighted", action="store_const", const=True)
    parser.add_argument("--larger", dest="hires", action="store_const", const=2)
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


def parse(
    language: str, text: str, picture: bytes | None = None
) -> pb.GenerateRequest:
    """As `build`, from one line of text. Words without a dash in front are the
    prompt."""
    try:
        words_of = shlex.split(text.translate(_DASHES).translate(_QUOTES))
    except ValueError:  # an apostrophe is no quotation
        words_of = text.translate(_DASHES).split()
    try:
        found = vars(_parser().parse_intermixed_args(words_of))
    except ValueError as error:
        raise Refused(words.say(language, "invalid", error)) from None
    prompt = " ".join(found.pop("prompt"))
    options = {key: value for key, value in found.items() if value is not None}
    return build(language, prompt, options, picture)
