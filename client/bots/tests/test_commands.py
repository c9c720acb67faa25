"""What people type, and the request that it makes."""

from __future__ import annotations

import pytest

from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import types_pb2 as types
from genzo_bots import commands
from genzo_bots.limits import Refused
from genzo_bots.orders import Order


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


def test_reads_in_which_part_of_the_steps() -> None:
    found = commands.parse(
        "en",
        "a fox --lora ink:0.5@0.2-0.9 --lora v1:snow:1@.5-1 --lora a@b"
        " --text-gate 8 --safety blur",
    )
    assert list(found.loras) == [
        pb.LoraUse(name="ink", weight=0.5, start=0.2, end=0.9),
        pb.LoraUse(name="v1:snow", weight=1, start=0.5, end=1),
        pb.LoraUse(name="a@b"),
    ]
    assert found.guidance.text_gate_step == 8
    assert found.safety_policy == types.SAFETY_POLICY_BLUR


def test_reads_how_a_picture_is_followed() -> None:
    found = commands.parse(
        "en",
        "a fox --control lines:0.6@0-0.5 --canny 50,120 --look plus:0.3",
        b"picture",
    )
    assert list(found.controls) == [
        pb.ControlInput(
            name="lines",
            picture={"data": b"picture"},
            preprocessor=pb.ControlInput.PREPROCESSOR_CANNY,
            weight=0.6,
            start=0,
            end=0.5,
            canny_low=50,
            canny_high=120,
        )
    ]
    [look] = found.image_prompts
    assert (look.name, look.weight) == ("plus", 0.3)
    assert not found.HasField("image_to_image")


@pytest.mark.parametrize(
    ("typed", "borders"), [("64", (64,) * 4), ("64,0,32,8", (64, 0, 32, 8))]
)
def test_extends_a_picture(typed: str, borders: tuple[int, ...]) -> None:
    found = commands.parse("en", f"snow --extend {typed}", b"picture")
    around = found.outpainting
    assert (around.left, around.top, around.right, around.bottom) == borders
    assert found.image_to_image.image == b"picture"


def test_enlarges_a_picture_without_words() -> None:
    found = commands.parse("en", "--enlarge 3 --upscaler esrgan", b"picture")
    order = Order("test", "ann", "en", found)
    assert order.enlarges
    assert order.made([0]) == "×3"
    assert (found.hires.factor, found.hires.upscaler) == (3, "esrgan")
    assert found.image_to_image.image == b"picture"
    assert found.request_id
    # A second pass over a start is the server's to refuse.
    painted = commands.parse("en", "a fox --larger", b"picture")
    assert not Order("test", "ann", "en", painted).enlarges


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fox --mask fox.png", "--mask needs a second picture"),
        ("fox --lora ink:much@0-1", "lora 'ink:much': its weight 'much'"),
        ("fox --control c:x", "control 'c:x': its weight 'x'"),
        ("fox --look l@0-0.5", "look 'l@0-0.5': a look is at work"),
        ("fox --canny 1,2", "canny '1,2' goes with control"),
        ("fox --control c --canny 5", "canny '5' is not 2 whole numbers"),
        ("fox --extend 1,2", "extend '1,2' is not 4 whole numbers"),
        ("fox --extend 8 --control c", "extend '8' does not go with control"),
        ("fox --safety none", "safety 'none' is none of"),
        ("fox --enlarge 2 --steps 9", "enlarge goes with upscaler alone, not"),
    ],
)
def test_names_what_does_not_go_with_a_picture(text: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        commands.parse("en", text, b"picture")
    assert why in str(refused.value)


@pytest.mark.parametrize("option", ["extend 8", "canny 1,2", "enlarge 2"])
def test_says_that_a_picture_is_missing(option: str) -> None:
    with pytest.raises(Refused, match="are for a picture that you send along"):
        commands.parse("en", f"fox --{option}")
