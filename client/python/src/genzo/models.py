"""What a server can paint with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from genzo import errors
from genzo.v1 import model_registry_pb2 as pb
from genzo.v1 import types_pb2 as types


@dataclass(frozen=True)
class Model:
    """A model. `proto` has everything that the server tells of it."""

    id: str
    is_default: bool
    # "loading", "resident", "failed" or "unloaded".
    state: str
    # "text_to_image", "image_to_image", ...
    tasks: tuple[str, ...]
    # By sampler, the schedules that it takes besides the model's own.
    samplers: dict[str, tuple[str, ...]]
    default_sampler: str
    default_width: int
    default_height: int
    error: errors.GenzoError | None
    proto: pb.Model = field(repr=False, compare=False)


def _names(
    enum: EnumTypeWrapper, prefix: str, values: Iterable[int]
) -> tuple[str, ...]:
    """Lower-case names; values newer than this client are left out."""
    known = {number: name for name, number in enum.items()}
    return tuple(
        known[value].removeprefix(prefix).lower()
        for value in values
        if value in known
    )


def from_proto(model: pb.Model) -> Model:
    """`model` in this module's words."""
    samplers: dict[str, tuple[str, ...]] = {}
    for support in model.samplers:
        schedules = _names(
            types.NoiseSchedule, "NOISE_SCHEDULE_", support.schedules
        )
        for name in _names(types.Sampler, "SAMPLER_", [support.sampler]):
            samplers[name] = schedules
    state = _names(pb.Model.State, "STATE_", [model.state])
    default_sampler = _names(types.Sampler, "SAMPLER_", [model.default_sampler])
    return Model(
        id=model.id,
        is_default=model.is_default,
        state=next(iter(state), "unknown"),
        tasks=_names(types.Task, "TASK_", model.tasks),
        samplers=samplers,
        default_sampler=next(iter(default_sampler), ""),
        default_width=model.default_width,
        default_height=model.default_height,
        error=errors.from_status(model.error)
        if model.HasField("error")
        else None,
        proto=model,
    )
