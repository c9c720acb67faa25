"""The slash command as Discord shows it, and what its options may become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import genzo
from genzo_bots.studio import Studio

# Of choices, and of one's characters.
_MAX_CHOICES = 25
_MAX_CHOICE = 100
# As they are typed: none yet, or a number; and a part of the steps.
_WEIGHT = re.compile(r"(-?(\d+\.?\d*|\.\d+))?")
_PART = re.compile(r"@[\d.]*(-[\d.]*)?$")
# Options whose value may have a weight behind a colon.
_WEIGHTED = ("lora", "control", "look")


def command() -> dict[str, Any]:
    """The slash command as it is registered."""

    def option(kind: int, name: str, text: str, **rest: Any) -> dict[str, Any]:
        return {"type": kind, "name": name, "description": text, **rest}

    string, integer, boolean, number, attachment = 3, 4, 5, 10, 11
    return {
        "name": "imagine",
        "description": "Paint a picture that develops as you watch",
        "description_localizations": {"ja": "文章から画像を現像します"},
        "options": [
            option(string, "prompt", "What to paint", required=True),
            option(string, "negative", "What to stay away from"),
            option(string, "model", "Which model", autocomplete=True),
            option(string, "sampler", "Which sampler", autocomplete=True),
            option(string, "schedule", "Which noise levels", autocomplete=True),
            option(integer, "steps", "How many steps", min_value=1),
            option(number, "guidance", "How closely to follow the prompt"),
            option(integer, "seed", "The same seed, the same picture"),
            option(integer, "width", "In pixels", min_value=8),
            option(integer, "height", "In pixels", min_value=8),
            option(integer, "count", "How many", min_value=1, max_value=4),
            option(integer, "best_of", "Paint more, show the best"),
            option(
                string, "lora", "An adapter, NAME:WEIGHT", autocomplete=True
            ),
            option(integer, "text_gate", "Last step to read words (T-GATE)"),
            option(boolean, "weighted", "(Brackets) weigh their words"),
            option(boolean, "larger", "Twice the size"),
            option(
                string,
                "upscaler",
                "Enlarge the finished picture",
                autocomplete=True,
            ),
            option(
                string,
                "safety",
                "Stricter than the server",
                choices=[
                    {"name": name, "value": name}
                    for name in ("mark", "blur", "refuse")
                ],
            ),
            option(attachment, "picture", "A picture to start from"),
            option(number, "strength", "How much of it is painted anew"),
            option(string, "shows", "What it shows: changes it by words"),
            option(string, "extend", "Pixels around it: left,top,right,bottom"),
            option(
                string,
                "control",
                "Follow its composition, NAME:WEIGHT",
                autocomplete=True,
            ),
            option(
                string,
                "look",
                "Take over its look, NAME:WEIGHT",
                autocomplete=True,
            ),
            option(number, "enlarge", "Only make it so many times as large"),
        ],
    }


# What a model tells of itself, by the option that names it.
_NAMES_OF: dict[str, Callable[[genzo.Model], Iterable[str]]] = {
    "sampler": lambda model: model.samplers,
    "schedule": lambda model: dict.fromkeys(
        chain.from_iterable(model.samplers.values())
    ),
    "control": lambda model: model.proto.controlnets,
    "look": lambda model: model.proto.ip_adapters,
}


async def complete(studio: Studio, options: list[dict[str, Any]]) -> list[str]:
    """What the option that is being typed may become. GenzoError if the server
    does not say."""
    focused: dict[str, Any] = next((o for o in options if o.get("focused")), {})
    option = focused.get("name", "")
    typed = str(focused.get("value", "")).lower()
    model = next((o["value"] for o in options if o["name"] == "model"), "")
    known = await _known(studio, option, model)
    names = (
        _weighted(known, typed)
        if option in _WEIGHTED
        else [name for name in known if typed in name.lower()]
    )
    return [name for name in names if len(name) <= _MAX_CHOICE][:_MAX_CHOICES]


async def _known(studio: Studio, option: str, model: str) -> list[str]:
    """What an option may name, by the server."""
    if option == "lora":
        return await studio.loras(model)
    if option == "upscaler":
        return await studio.upscalers()
    models = await studio.models()
    if (names_of := _NAMES_OF.get(option)) is None:
        return [m.id for m in models]
    return [
        name
        for m in models
        if m.id == model or (not model and m.is_default)
        for name in names_of(m)
    ]


def _weighted(names: list[str], typed: str) -> list[str]:
    """The networks that `typed` may become, with the weight and the part of the
    steps that it ends in. A name with a colon needs a weight."""
    found = _PART.search(typed)
    part = found[0] if found else ""
    typed = typed.removesuffix(part)
    name, colon, weight = typed.rpartition(":")
    if not _WEIGHT.fullmatch(weight):
        colon = ""  # one of the name's own
    if not colon:
        name, weight = typed, ""
    return [
        known + (f":{weight or 1}" if colon or ":" in known else "") + part
        for known in names
        if name in known.lower()
    ]
