"""A GenerateRequest from keyword arguments."""

from __future__ import annotations

import difflib
import os
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import scoring_pb2
from genzo.v1 import types_pb2 as types

# The bytes of a picture file, or its path.
ImageSource: TypeAlias = bytes | str | os.PathLike[str]


# An adapter in a request.
Lora: TypeAlias = str | tuple[str, float] | pb.LoraUse


@dataclass(frozen=True)
class Control:
    """A picture for one of the model's control networks. None: the server's
    default."""

    name: str
    picture: ImageSource
    # "none" (it is a hint already), "canny", "tile" or "inpaint".
    preprocessor: str = "none"
    weight: float | None = None
    # Shares of the steps between which it works.
    start: float | None = None
    end: float | None = None
    guess_mode: bool = False
    canny_low: int | None = None
    canny_high: int | None = None
    # "crop", "stretch" or "fill"; empty: as `resize_mode` of the image.
    resize_mode: str = ""


@dataclass(frozen=True)
class ImagePrompt:
    """Pictures for one of the model's adapters, to be read as a prompt."""

    name: str
    pictures: Sequence[ImageSource]
    weight: float | None = None


class Options(TypedDict, total=False):
    """What `generate` takes besides the prompt.

    Names and meanings are those of GenerateRequest in the protos; what is left
    out is the server's to choose. Choices are lower-case names without their
    prefix: sampler="euler_ancestral", schedule="karras", format="jpeg".
    """

    model: str
    negative_prompt: str
    # Drawn here if left out, so that a request sent again is the same picture.
    seed: int
    image_count: int
    width: int
    height: int
    steps: int
    guidance_scale: float
    guidance_rescale: float
    sampler: str
    schedule: str
    eta: float
    clip_skip: int
    # For models and samplers that name them in Model.proto.request_fields: what
    # further text encoders read, and how much; the class to paint; guidance of
    # further kinds; what is told of sizes; noise over the picture; the refiner.
    # What is a mapping has the fields of its message: {"switch_at": 0.8}.
    prompt_2: str
    negative_prompt_2: str
    prompt_3: str
    negative_prompt_3: str
    max_sequence_length: int
    class_label: int
    true_guidance_scale: float
    image_guidance_scale: float
    size_conditioning: Mapping[str, Any]
    noise_level: int
    refiner: Mapping[str, Any]
    # Noise levels of the steps, or trained timesteps, instead of a schedule;
    # noise added before each step; "cpu" or "cuda", whose numbers `seed` gives.
    sigmas: Sequence[float]
    timesteps: Sequence[int]
    churn: Mapping[str, Any]
    noise_generator: str
    # Read (word:1.3), [word], [from:to:when], [a|b], BREAK and names of
    # embeddings as web UIs do.
    weighted: bool
    # Shares of the steps between which guidance is at work, 0 to 1.
    guidance_start: float
    guidance_end: float
    perturbed_attention_scale: float
    perturbed_layers: Sequence[str]
    skip_layer_scale: float
    # Which, counted from 0.
    skip_layers: Sequence[int]
    # The step after which the text is not looked at any more.
    text_gate_step: int
    # Another seed to mix in, and how far to go towards it, 0 to 1.
    variation_seed: int
    variation_strength: float
    # Draw the noise of a picture of that size, in pixels, and cut or fill it.
    variation_resize_from_width: int
    variation_resize_from_height: int
    # Have the server keep the latents: Image.latents names them; and start from
    # such, of which `strength` is painted anew.
    keep_latents: bool
    start_latents: str
    # Adapters: names, "NAME:0.8", pairs of a name and a weight, or LoraUse
    # messages, which can say more. What stands behind a string's last colon is
    # the weight.
    loras: Sequence[Lora]
    # The picture to start from, and how much of it is painted anew, 0 to 1.
    image: ImageSource
    strength: float
    # How a picture of other proportions becomes the size: "crop", "stretch" or
    # "fill".
    resize_mode: str
    # Begin at its own noise rather than random noise (DDIM inversion); what it
    # shows, if not the prompt; and how that is walked. Each implies the first.
    invert: bool
    inversion_prompt: str
    inversion_guidance_scale: float
    inversion_steps: int
    # Pictures whose composition is followed, and pictures read as a prompt.
    controls: Sequence[Control]
    image_prompts: Sequence[ImagePrompt]
    # What of it is painted anew: white, of its size. And where that begins:
    # "original", "noise", "blur" or "nothing".
    mask: ImageSource
    mask_blur: int
    mask_fill: str
    # Only the masked region is painted, with so many pixels around it.
    only_masked: bool
    mask_padding: int
    invert_mask: bool
    mask_is_transparency: bool
    # Pixels to paint around it: left, top, right, bottom.
    extend: tuple[int, int, int, int]
    # A preview every so many steps, 5 if left out, 0 for none; or at these.
    preview_every: int
    preview_steps: Sequence[int]
    preview_decoder: str
    preview_format: str
    preview_longest_side: int
    preview_quality: int
    # Of the finished picture: "png", "jpeg" or "webp".
    format: str
    quality: int
    embed_parameters: bool
    # Enlarges the finished picture; see `Client.upscalers`.
    upscaler: str
    # A second pass over an enlarged picture: hires=2, or the fields of
    # HiresPass, {"factor": 2, "upscaler": "realesrgan-x4", "steps": 15}.
    hires: float | Mapping[str, Any]
    # Draws so many and sends the best image_count of them; who chooses, as the
    # server calls it, the model's own scorer if left out.
    best_of: int
    scorer: str
    # "mark", "blur" or "refuse": stricter than the server's policy.
    safety: str
    # An invisible mark in the pixels; XMP that says that a machine made it.
    watermark: bool
    mark_provenance: bool
    # The model's small decoder makes the picture: faster, a little less sharp.
    tiny_decoder: bool
    priority: str
    # Bit-identical whatever else the server paints.
    reproducible: bool
    # Seconds, from acceptance to the job's end.
    time_limit: float
    # "cancel" (default) or "continue": the job's fate if this program dies.
    on_disconnect: str
    # A UUID. Drawn if left out.
    request_id: str
    # A request to begin with, for fields that have no argument here.
    request: pb.GenerateRequest


_CHOICES: dict[str, tuple[EnumTypeWrapper, str]] = {
    "sampler": (types.Sampler, "SAMPLER_"),
    "schedule": (types.NoiseSchedule, "NOISE_SCHEDULE_"),
    "priority": (types.Priority, "PRIORITY_"),
    "on_disconnect": (types.OnDisconnect, "ON_DISCONNECT_"),
    "format": (types.ImageFormat, "IMAGE_FORMAT_"),
    "preview_format": (types.ImageFormat, "IMAGE_FORMAT_"),
    "preview_decoder": (types.PreviewDecoder, "PREVIEW_DECODER_"),
    "preprocessor": (pb.ControlInput.Preprocessor, "PREPROCESSOR_"),
    "safety": (types.SafetyPolicy, "SAFETY_POLICY_"),
    "mask_fill": (pb.Inpainting.Fill, "FILL_"),
    "resize_mode": (types.ResizeMode, "RESIZE_MODE_"),
    "noise_generator": (types.NoiseGenerator, "NOISE_GENERATOR_"),
}
_GUIDANCE = (
    "guidance_start",
    "guidance_end",
    "perturbed_attention_scale",
    "perturbed_layers",
    "skip_layer_scale",
    "skip_layers",
    "text_gate_step",
)
_OUTPUT = (
    "format",
    "quality",
    "embed_parameters",
    "watermark",
    "mark_provenance",
    "tiny_decoder",
    "upscaler",
)
_INPAINTING = {
    "mask_blur": "mask_blur",
    "mask_fill": "fill",
    "only_masked": "only_masked",
    "mask_padding": "padding",
    "invert_mask": "invert_mask",
    "mask_is_transparency": "mask_is_transparency",
}
_LISTS = (
    "sigmas",
    "timesteps",
    "loras",
    "perturbed_layers",
    "preview_steps",
    "skip_layers",
)
_MESSAGES: dict[str, Any] = {
    "churn": pb.Churn,
    "refiner": pb.Refiner,
    "size_conditioning": pb.SizeConditioning,
}
_BORDERS = ("left", "top", "right", "bottom")
_DEFAULT_PREVIEW_EVERY = 5


def _choice(name: str, value: str) -> int:
    enum, prefix = _CHOICES[name]
    try:
        return enum.Value(prefix + value.upper())
    except ValueError:
        known = ", ".join(
            key.removeprefix(prefix).lower() for key in list(enum.keys())[1:]
        )
        raise ValueError(f"{name} {value!r} is none of {known}") from None


def _target(request: pb.GenerateRequest, name: str) -> tuple[Any, str]:
    """The message that holds option `name`, and the field's name there."""
    if name.startswith("preview_"):
        return request.preview, name.removeprefix("preview_")
    if name in _OUTPUT:
        return request.output, name
    if name in ("strength", "resize_mode"):
        return request.image_to_image, name
    if name in _GUIDANCE:
        return request.guidance, name.removeprefix("guidance_")
    if name.startswith("inversion_"):
        inversion = request.image_to_image.inversion
        return inversion, name.removeprefix("inversion_")
    if name.startswith("variation_"):
        return request.variation, name.removeprefix("variation_")
    if name in ("best_of", "scorer"):
        return request.best_of, "draw" if name == "best_of" else name
    if name == "safety":
        return request, "safety_policy"
    if name in _INPAINTING:
        return request.inpainting, _INPAINTING[name]
    return request, name


def _lora(value: Lora) -> pb.LoraUse:
    if isinstance(value, pb.LoraUse):
        return value
    if isinstance(value, str):
        name, colon, weight = value.rpartition(":")
        if not colon:
            return pb.LoraUse(name=value)
        value = (name, float(weight))
    return pb.LoraUse(name=value[0], weight=value[1])


def set_hires(message: pb.HiresPass, hires: float | Mapping[str, Any]) -> None:
    fields: Mapping[str, Any] = (
        hires if isinstance(hires, Mapping) else {"factor": hires}
    )
    for name, value in fields.items():
        if name == "upscale":
            value = pb.HiresPass.Upscale.Value("UPSCALE_" + value.upper())
        elif name in ("sampler", "schedule"):
            value = _choice(name, value)
        try:
            setattr(message, name, value)
        except (AttributeError, TypeError, ValueError) as error:
            raise type(error)(f"hires.{name}: {error}") from None


def _bytes(image: ImageSource) -> bytes:
    return image if isinstance(image, bytes) else Path(image).read_bytes()


def _add_control(request: pb.GenerateRequest, control: Control) -> None:
    preprocessor: Any = _choice("preprocessor", control.preprocessor)
    resize_mode: Any = _choice(
        "resize_mode", control.resize_mode or "unspecified"
    )
    request.controls.add(
        name=control.name,
        picture=pb.InputPicture(data=_bytes(control.picture)),
        preprocessor=preprocessor,
        weight=control.weight,
        start=control.start,
        end=control.end,
        guess_mode=control.guess_mode,
        canny_low=control.canny_low,
        canny_high=control.canny_high,
        resize_mode=resize_mode,
    )


def score(
    pictures: Sequence[ImageSource], prompt: str, scorer: str, model: str
) -> scoring_pb2.ScoreRequest:
    """What PictureScoring.Score is asked."""
    return scoring_pb2.ScoreRequest(
        scorer=scorer,
        model=model,
        prompt=prompt,
        pictures=[pb.InputPicture(data=_bytes(each)) for each in pictures],
    )


def _set_pictures(request: pb.GenerateRequest, values: dict[str, Any]) -> None:
    if (image := values.pop("image", None)) is not None:
        request.image_to_image.image = _bytes(image)
    if (mask := values.pop("mask", None)) is not None:
        request.inpainting.mask.data = _bytes(mask)
    if (borders := values.pop("extend", None)) is not None:
        for side, pixels in zip(_BORDERS, borders, strict=True):
            setattr(request.outpainting, side, pixels)


def _unknown(name: str) -> str:
    text = f"generate() has no argument {name!r}"
    near = difflib.get_close_matches(name, Options.__annotations__, n=1)
    return f"{text}; did you mean {near[0]!r}?" if near else text


def build(prompt: str, options: Options) -> pb.GenerateRequest:
    """ValueError or TypeError for what cannot be said in a request at all; the
    server judges the rest."""
    if not isinstance(prompt, str):
        raise TypeError(f"prompt: {prompt!r} is no text")
    request = pb.GenerateRequest()
    values: dict[str, Any] = dict(options)
    if base := values.pop("request", None):
        request.CopyFrom(base)
    request.prompt = prompt
    if values.pop("weighted", False):
        request.prompt_syntax = types.PROMPT_SYNTAX_WEIGHTED
    for control in values.pop("controls", ()):
        _add_control(request, control)
    for read in values.pop("image_prompts", ()):
        added = request.image_prompts.add(name=read.name, weight=read.weight)
        for picture in read.pictures:
            added.pictures.add(data=_bytes(picture))
    _set_pictures(request, values)
    if (hires := values.pop("hires", None)) is not None:
        set_hires(request.hires, hires)
    if values.pop("invert", False):
        request.image_to_image.inversion.SetInParent()
    if values.pop("reproducible", False):
        request.reproducibility = types.REPRODUCIBILITY_REPRODUCIBLE
    if (limit := values.pop("time_limit", None)) is not None:
        request.time_limit.FromTimedelta(timedelta(seconds=limit))
    if not request.HasField("preview") and "preview_steps" not in values:
        values.setdefault("preview_every", _DEFAULT_PREVIEW_EVERY)
    if not request.HasField("seed"):
        values.setdefault("seed", random.getrandbits(32))
    if not request.request_id:
        values.setdefault("request_id", str(uuid.uuid4()))
    for name, value in values.items():
        if name not in Options.__annotations__:
            raise TypeError(_unknown(name))
        if name in _CHOICES:
            value = _choice(name, value)
        if name.endswith("_layers") and not value:
            continue  # asks for no guidance by itself
        message, field = _target(request, name)
        try:
            if name in _MESSAGES:
                getattr(message, field).MergeFrom(_MESSAGES[name](**value))
            elif name in _LISTS:
                each = map(_lora, value) if name == "loras" else value
                getattr(message, field).extend(each)
            else:
                setattr(message, field, value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
    return request
