"""A request from what people type: `a red fox --steps 20 --seed 7`."""

from __future__ import annotations

import argparse
import shlex
from typing import NoReturn

from genzo import requests
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
    return parser


def build(
    language: str, prompt: str, options: requests.Options
) -> pb.GenerateRequest:
    """A request with an id and a seed. Refused says what is wrong."""
    if not prompt.strip():
        raise Refused(words.say(language, "no_prompt"))
    try:
        return requests.build(prompt.strip(), {**_DEFAULTS, **options})
    except (TypeError, ValueError) as error:
        raise Refused(words.say(language, "invalid", error)) from None


def parse(language: str, text: str) -> pb.GenerateRequest:
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
    return build(language, prompt, options)  # type: ignore[arg-type]
