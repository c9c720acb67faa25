from pathlib import Path

import pytest

from genzo.requests import Control, ImagePrompt, build, score
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
            "best_of": 4,
            "scorer": "clip",
            "safety": "blur",
            "watermark": True,
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
        output=pb.OutputOptions(
            format=types.IMAGE_FORMAT_JPEG, quality=70, watermark=True
        ),
        best_of=pb.BestOf(draw=4, scorer="clip"),
        safety_policy=types.SAFETY_POLICY_BLUR,
        reproducibility=types.REPRODUCIBILITY_REPRODUCIBLE,
        time_limit={"seconds": 1, "nanos": 500_000_000},
        request_id="r",
        on_disconnect=types.ON_DISCONNECT_CONTINUE,
    )


def test_adapters_are_named_in_several_ways() -> None:
    whole = pb.LoraUse(name="c", weight=0.5, start=0.2)
    request = build(
        "a fox", {"loras": ["a", "b:0.8", "v1:c:0.6", ("b", 0.7), whole]}
    )
    assert list(request.loras) == [
        pb.LoraUse(name="a"),
        pb.LoraUse(name="b", weight=0.8),
        pb.LoraUse(name="v1:c", weight=0.6),
        pb.LoraUse(name="b", weight=0.7),
        whole,
    ]


def test_reads_the_pictures_of_controls_and_prompts(tmp_path: Path) -> None:
    hint = tmp_path / "hint.png"
    hint.write_bytes(b"edges")
    request = build(
        "a fox",
        {
            "controls": [
                Control(
                    "canny", hint, "canny", weight=0.5, end=0.75, canny_low=50
                ),
                Control("depth", b"depths", guess_mode=True),
            ],
            "image_prompts": [ImagePrompt("plus", [b"a", b"b"], weight=0.25)],
        },
    )
    kinds = pb.ControlInput
    assert list(request.controls) == [
        kinds(
            name="canny",
            picture={"data": b"edges"},
            preprocessor=kinds.PREPROCESSOR_CANNY,
            weight=0.5,
            end=0.75,
            canny_low=50,
        ),
        kinds(
            name="depth",
            picture={"data": b"depths"},
            preprocessor=kinds.PREPROCESSOR_NONE,
            guess_mode=True,
        ),
    ]
    assert list(request.image_prompts) == [
        pb.ImagePrompt(
            name="plus", pictures=[{"data": b"a"}, {"data": b"b"}], weight=0.25
        )
    ]


def test_asks_for_scores_of_files_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "fox.png"
    path.write_bytes(b"fox")
    request = score([path, b"hen"], "a fox", "clip", "")
    assert [each.data for each in request.pictures] == [b"fox", b"hen"]
    assert (request.prompt, request.scorer) == ("a fox", "clip")


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
        ({"colour": 1}, TypeError, "no argument 'colour'$"),
        ({"stesp": 1}, TypeError, "no argument 'stesp'; did you mean 'steps'"),
    ],
)
def test_says_which_argument_is_wrong(
    options: dict, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        build("a fox", options)


def test_puts_a_mask_and_borders_in_their_fields(tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"mask")
    request = build(
        "a fox",
        {
            "image": b"picture",
            "mask": mask,
            "mask_blur": 4,
            "resize_mode": "fill",
            "mask_fill": "noise",
            "only_masked": True,
            "mask_padding": 16,
            "invert_mask": True,
            "extend": (8, 0, 16, 24),
        },
    )
    assert request.image_to_image.resize_mode == types.RESIZE_MODE_FILL
    assert request.inpainting == pb.Inpainting(
        mask=pb.InputPicture(data=b"mask"),
        mask_blur=4,
        fill=pb.Inpainting.FILL_NOISE,
        only_masked=True,
        padding=16,
        invert_mask=True,
    )
    assert request.outpainting == pb.Outpainting(left=8, right=16, bottom=24)
    with pytest.raises(ValueError, match="mask_fill 'best' is none of"):
        build("a fox", {"mask_fill": "best"})
    with pytest.raises(ValueError, match="shorter"):
        build("a fox", {"extend": (1, 2, 3)})  # type: ignore[typeddict-item]


def test_what_some_models_take_has_its_field() -> None:
    request = build(
        "a fox",
        {
            "prompt_2": "in the snow",
            "class_label": 3,
            "noise_level": 40,
            "image_guidance_scale": 1.5,
            "sigmas": (9.0, 3.0),
            "churn": {"amount": 20, "noise": 1.1},
            "refiner": {"switch_at": 0.7},
            "size_conditioning": {"prompt": {"crop_left": 8}},
            "noise_generator": "cuda",
        },
    )
    assert request.prompt_2 == "in the snow"
    assert request.class_label == 3
    assert request.noise_level == 40
    assert request.image_guidance_scale == 1.5
    assert list(request.sigmas) == [9, 3]
    assert request.churn == pb.Churn(amount=20, noise=1.1)
    assert request.refiner.switch_at == 0.7
    assert request.size_conditioning.prompt.crop_left == 8
    assert request.noise_generator == types.NOISE_GENERATOR_CUDA
    with pytest.raises(ValueError, match=r"churn: .*strength"):
        build("a fox", {"churn": {"strength": 1}})


def test_a_prompt_is_text() -> None:
    with pytest.raises(TypeError, match="prompt: 5 is no text"):
        build(5, {})  # type: ignore[arg-type]
