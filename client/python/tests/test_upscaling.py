"""Pictures made larger, with both clients."""

import asyncio

import pytest

import genzo
from genzo.requests import build as build_request
from genzo.upscaling import build
from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import types_pb2 as types
from genzo.v1 import upscaling_pb2

from fake_server import FakeServer, answer, ended, image, progress, started

WHOLE = [started(1), progress(2), image(3), ended(4)]


def test_puts_every_argument_in_its_field() -> None:
    request = build(
        b"picture",
        {
            "upscaler": "realesrgan-x4",
            "factor": 2.5,
            "format": "jpeg",
            "quality": 70,
            "priority": "low",
            "time_limit": 1.5,
        },
    )
    expected = upscaling_pb2.UpscaleRequest(
        picture=pb.InputPicture(data=b"picture"),
        upscaler="realesrgan-x4",
        factor=2.5,
        output=pb.OutputOptions(format=types.IMAGE_FORMAT_JPEG, quality=70),
        priority=types.PRIORITY_LOW,
    )
    expected.time_limit.FromMilliseconds(1500)
    assert request == expected
    with pytest.raises(TypeError, match="no argument 'steps'"):
        build(b"", {"steps": 3})  # type: ignore[typeddict-unknown-key]


def test_hires_is_a_factor_or_fields() -> None:
    hires = build_request("a fox", {"hires": 1.5}).hires
    assert hires == pb.HiresPass(factor=1.5)
    hires = build_request(
        "a fox",
        {"hires": {"upscale": "latent_nearest", "sampler": "ddim"}},
    ).hires
    assert hires == pb.HiresPass(
        upscale=pb.HiresPass.UPSCALE_LATENT_NEAREST, sampler=types.SAMPLER_DDIM
    )
    with pytest.raises(AttributeError, match=r"hires\.stepz"):
        build_request("a fox", {"hires": {"stepz": 1}})
    upscaled = build_request("a fox", {"upscaler": "lanczos"})
    assert upscaled.output.upscaler == "lanczos"


def test_a_picture_comes_back_larger(fake: FakeServer) -> None:
    fake.answers = [answer(*WHOLE)]
    with genzo.Client(fake.address) as client:
        result = client.upscale(b"picture", factor=2).result()
        assert result.images[0].picture.data == b"fine"
        assert client.upscalers() == [
            genzo.Upscaler(name="lanczos", scale=0, architecture="")
        ]
        assert client.scorers() == ["clip"]
    assert fake.requests[0].picture.data == b"picture"
    assert fake.requests[0].factor == 2


def test_the_asynchronous_client_does_the_same(fake: FakeServer) -> None:
    fake.answers = [answer(*WHOLE)]

    async def run() -> None:
        async with genzo.AsyncClient(fake.address) as client:
            result = await client.upscale(b"picture").result()
            assert result.images[0].picture.data == b"fine"
            assert (await client.upscalers())[0].name == "lanczos"
            assert await client.scorers() == ["clip"]

    asyncio.run(run())
