"""Arguments for how prompts are read, guidance and noise."""

import pytest

from genzo import requests
from genzo.v1 import types_pb2 as types


def test_steers_guidance_and_noise() -> None:
    request = requests.build(
        "a (fox:1.2)",
        {
            "weighted": True,
            "guidance_scale": 5.0,
            "guidance_start": 0.1,
            "guidance_end": 0.8,
            "perturbed_attention_scale": 3.0,
            "skip_layer_scale": 2.8,
            "skip_layers": [0, 9],
            "text_gate_step": 10,
            "variation_seed": 5,
            "variation_strength": 0.2,
            "variation_resize_from_width": 512,
            "variation_resize_from_height": 768,
            "keep_latents": True,
            "start_latents": "name",
            "strength": 0.6,
            "perturbed_layers": ["mid_block"],
            "inversion_prompt": "",
            "inversion_guidance_scale": 2.0,
            "inversion_steps": 30,
        },
    )
    assert request.prompt_syntax == types.PROMPT_SYNTAX_WEIGHTED
    assert request.guidance_scale == 5.0
    assert request.guidance.start == 0.1
    assert request.guidance.end == 0.8
    assert request.guidance.perturbed_attention_scale == 3.0
    assert request.guidance.text_gate_step == 10
    assert request.guidance.skip_layer_scale == 2.8
    assert request.guidance.skip_layers == [0, 9]
    assert request.variation.resize_from_width == 512
    assert request.variation.resize_from_height == 768
    assert request.variation.seed == 5
    assert request.variation.strength == 0.2
    assert request.keep_latents
    assert request.start_latents == "name"
    assert request.image_to_image.strength == 0.6
    assert request.guidance.perturbed_layers == ["mid_block"]
    inversion = request.image_to_image.inversion
    assert inversion.HasField("prompt")
    assert inversion.prompt == ""
    assert inversion.guidance_scale == 2.0
    assert inversion.steps == 30


def test_names_the_argument_whose_layers_are_none() -> None:
    with pytest.raises(ValueError, match="skip_layers: "):
        requests.build("a fox", {"skip_layers": [-1]})


def test_inversion_needs_no_more_than_its_name() -> None:
    request = requests.build("a fox", {"invert": True})
    assert request.image_to_image.HasField("inversion")
    assert not request.image_to_image.inversion.HasField("prompt")


def test_says_nothing_of_what_is_left_out() -> None:
    request = requests.build("a fox", {"skip_layers": []})
    assert not request.HasField("guidance")
    assert not request.HasField("variation")
    assert request.prompt_syntax == types.PROMPT_SYNTAX_UNSPECIFIED
