"""What people type, and the request that it makes."""

from __future__ import annotations

import pytest

from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import types_pb2 as types
from genzo_bots import commands
from genzo_bots.limits import Refused


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
    found = commands.parse(
        "en", text + " --larger --schedule karras --upscaler lanczos"
    )
    assert found.schedule == types.NOISE_SCHEDULE_KARRAS
    assert found.output.upscaler == "lanczos"
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
        "fox --schedule magic",
        "fox --strength 1",
        "fox --lora ink:much",
    ],
)
def test_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(Refused):
        commands.parse("en", text)
