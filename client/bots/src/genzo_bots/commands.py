"""A request from what people type: `a red fox --steps 20 --seed 7`, and from
the picture that they send with it."""

from __future__ import annotations

import argparse
import re
import uuid
from dataclasses import dataclass
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
# The share of the steps in which something is at work: "@0.2-0.9".
_PART = re.compile(r"(.+)@(\d*\.?\d+)-(\d*\.?\d+)", re.DOTALL)
# What goes with --enlarge, which paints nothing.
_ENLARGING = {"enlarge", "upscaler"}


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
    parser.add_argument("--text-gate", dest="text_gate_step", type=int)
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
    parser.add_argument("--safety")
    # Of the picture that comes along.
    parser.add_argument("--strength", type=float)
    parser.add_argument("--shows")
    parser.add_argument("--extend")
    parser.add_argument("--control")
    parser.add_argument("--canny")
    parser.add_argument("--look")
    parser.add_argument("--enlarge", type=float)
    # Of a second one, which there is no way to send.
    parser.add_argument("--mask")
    return parser


@dataclass(frozen=True)
class _Use:
    """A network by name, and how it is used: "NAME:0.8@0.2-0.9"."""

    name: str
    weight: float | None = None
    start: float | None = None
    end: float | None = None


def _use(option: str, text: str) -> _Use:
    """The weight is what stands behind the last colon. ValueError if that is no
    number."""
    start = end = weight = None
    if part := _PART.fullmatch(text):
        text, start, end = part[1], float(part[2]), float(part[3])
    name, colon, number = text.rpartition(":")
    if not colon:
        return _Use(text, weight, start, end)
    try:
        weight = float(number)
    except ValueError:
        raise ValueError(
            f"{option} {text!r}: its weight {number!r} is no number"
        ) from None
    return _Use(name, weight, start, end)


def _lora(text: str) -> pb.LoraUse:
    use = _use("lora", text)
    return pb.LoraUse(
        name=use.name, weight=use.weight, start=use.start, end=use.end
    )


def _control(text: str, canny: str | None, picture: bytes) -> Control:
    """Edges, where their thresholds are told or the network is called so."""
    use = _use("control", text)
    edges = canny or "canny" in use.name.lower()
    low, high = _numbers("canny", canny, 2) if canny else (None, None)
    return Control(
        use.name,
        picture,
        "canny" if edges else "none",
        weight=use.weight,
        start=use.start,
        end=use.end,
        canny_low=low,
        canny_high=high,
    )


def _look(text: str, picture: bytes) -> ImagePrompt:
    use = _use("look", text)
    if use.start is not None:
        raise ValueError(f"look {text!r}: a look is at work in all steps")
    return ImagePrompt(use.name, [picture], use.weight)


def _numbers(name: str, text: str, count: int) -> list[int]:
    """ValueError if there are not so many, with commas between."""
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise ValueError(
            f"{name} {text!r} is not {count} whole numbers with commas between"
        )
    return numbers


def _borders(text: str) -> list[int]:
    """Left, top, right and bottom; one number is for all of them."""
    return _numbers("extend", text if "," in text else ",".join([text] * 4), 4)


def _use_picture(
    language: str, picture: bytes | None, options: dict[str, Any]
) -> None:
    """Puts the picture where the options have it: followed by a control
    network, read as a prompt, or, without a word of those, started from."""
    control, canny = options.pop("control", None), options.pop("canny", None)
    look, shows = options.pop("look", None), options.pop("shows", None)
    extend = options.pop("extend", None)
    if picture is None:
        of_picture = (control, canny, look, shows, extend)
        if any(of_picture) or "strength" in options:
            raise Refused(words.say(language, "no_start"))
        return
    if canny and not control:
        raise ValueError(f"canny {canny!r} goes with control")
    if extend and (control or look):
        raise ValueError(f"extend {extend!r} does not go with control or look")
    if control:
        options["controls"] = [_control(control, canny, picture)]
    if look:
        options["image_prompts"] = [_look(look, picture)]
    if not control and not look:
        options["image"] = picture
    if shows:
        options["inversion_prompt"] = shows
    if extend:
        options["extend"] = _borders(extend)


def _enlarging(
    language: str,
    caption: str,
    options: dict[str, Any],
    picture: bytes | None,
) -> pb.GenerateRequest:
    """What stands for the wish to make a picture larger, as `enlarges` knows
    it: a GenerateRequest that is kept like any other and never sent."""
    if picture is None:
        raise Refused(words.say(language, "no_start"))
    if others := options.keys() - _ENLARGING:
        raise ValueError(
            "enlarge goes with upscaler alone, not " + ", ".join(sorted(others))
        )
    return pb.GenerateRequest(
        request_id=str(uuid.uuid4()),
        prompt=caption,
        image_to_image={"image": picture},
        hires={
            "factor": options["enlarge"],
            "upscale": pb.HiresPass.UPSCALE_NETWORK,
            "upscaler": options.get("upscaler", ""),
        },
    )


def build(
    language: str,
    prompt: str,
    options: dict[str, Any],
    picture: bytes | None = None,
) -> pb.GenerateRequest:
    """A request with an id and a seed, from options by the names that
    `generate` of the client has for them; and `control`, `look` and `shows`,
    which say what `picture` is for, as do `extend`, `canny` and `enlarge`.
    Refused says what is wrong."""
    if "mask" in options:
        raise Refused(words.say(language, "no_mask"))
    try:
        if "enlarge" in options:
            return _enlarging(language, prompt.strip(), options, picture)
        if not prompt.strip():
            raise Refused(words.say(language, "no_prompt"))
        wanted: dict[str, Any] = {**_DEFAULTS, **options}
        wanted["loras"] = [_lora(text) for text in options.get("loras", ())]
        _use_picture(language, picture, wanted)
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
