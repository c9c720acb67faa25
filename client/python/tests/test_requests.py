from pathlib import Path

import pytest

from genzo.requests import build
from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import types_pb2 as types


def test_puts_every_argument_in_its_field(tmp_path: Path) -> None:
    start = tmp_path / "start.png"
    start.write_bytes(b"picture")
    request = build(
        "a fox",
        {
            "sampler": "euler_ancestral",
            "schedule": "karras",
            "seed": 2**64 - 1,
            "image": start,
            "strength": 0.5,
            "preview_steps": [3, 7],
            "preview_format": "webp",
            "preview_longest_side": 64,
            "format": "jpeg",
            "quality": 70,
            "reproducible": True,
            "time_limit": 1.5,
            "request_id": "r",
            "on_disconnect": "continue",
        },
    )
    assert request == pb.GenerateRequest(
        prompt="a fox",
        sampler=types.SAMPLER_EULER_ANCESTRAL,
        schedule=types.NOISE_SCHEDULE_KARRAS,
        seed=2**64 - 1,
        image_to_image=pb.ImageToImage(image=b"picture", strength=0.5),
        preview=pb.PreviewPlan(
            steps=[3, 7], format=types.IMAGE_FORMAT_WEBP, longest_side=64
        ),
        output=pb.OutputOptions(format=types.IMAGE_FORMAT_JPEG, quality=70),
        reproducibility=types.REPRODUCIBILITY_REPRODUCIBLE,
        time_limit={"seconds": 1, "nanos": 500_000_000},
        request_id="r",
        on_disconnect=types.ON_DISCONNECT_CONTINUE,
    )


def test_adapters_are_named_in_several_ways() -> None:
    whole = pb.LoraUse(name="c", weight=0.5, start=0.2)
    request = build("a fox", {"loras": ["a", "b:0.8", ("b", 0.7), whole]})
    assert list(request.loras) == [
        pb.LoraUse(name="a"),
        pb.LoraUse(name="b", weight=0.8),
        pb.LoraUse(name="b", weight=0.7),
        whole,
    ]


def test_draws_what_a_request_needs_to_be_sent_again() -> None:
    one, other = build("a fox", {}), build("a fox", {})
    assert one.request_id != other.request_id
    assert one.seed != other.seed
    assert one.preview.every == 5


def test_begins_with_a_request_of_the_caller() -> None:
    base = pb.GenerateRequest(seed=4, preview={"every": 2}, request_id="r")
    request = build("a fox", {"request": base, "steps": 9})
    assert request == pb.GenerateRequest(
        prompt="a fox", seed=4, preview={"every": 2}, request_id="r", steps=9
    )
    assert base.prompt == ""


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"sampler": "nope"}, ValueError, "sampler 'nope' is none of ddim, "),
        ({"width": -8}, ValueError, "width: "),
        ({"seed": "x"}, TypeError, "seed: "),
        ({"colour": 1}, TypeError, "no argument 'colour'"),
    ],
)
def test_says_which_argument_is_wrong(
    options: dict, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        build("a fox", options)
