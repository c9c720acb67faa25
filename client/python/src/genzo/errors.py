"""Errors as exceptions that carry the server's reason and the field's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2

_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True)
class FieldViolation:
    """One bad field: its path as in the protos, and what is wrong with it."""

    field: str
    description: str


class GenzoError(Exception):
    """A call or a job that failed. Its text is a sentence for people.

    code: the gRPC code's name, "INVALID_ARGUMENT".
    reason: the server's reason, "QUEUE_FULL"; "" if no server spoke.
    fields: every bad field of a request that was refused.
    retry_after: seconds after which to try again, if the server said.
    metadata: what the server tells besides, "predicted_seconds" for example.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        fields: Iterable[FieldViolation] = (),
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.fields = tuple(fields)
        self.retry_after = retry_after
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        text = self.message
        if self.retry_after is not None:
            text += f"; try again in {self.retry_after:.0f} s"
        return f"{text} [{self.reason or self.code}]"


class InvalidRequest(GenzoError):
    """The request is wrong; `fields` says where."""


class NotFound(GenzoError):
    """No such model or job."""


class NotAllowed(GenzoError):
    """The key is missing, unknown or may not do this."""


class Unavailable(GenzoError):
    """No server answers, or it is full or stopping. Try again later."""


class TimedOut(GenzoError):
    """The time limit passed, or would."""


class Cancelled(GenzoError):
    """The job or the call was cancelled."""


_CLASSES: Mapping[str, type[GenzoError]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "NOT_FOUND": NotFound,
    "UNAUTHENTICATED": NotAllowed,
    "PERMISSION_DENIED": NotAllowed,
    "UNAVAILABLE": Unavailable,
    "RESOURCE_EXHAUSTED": Unavailable,
    "DEADLINE_EXCEEDED": TimedOut,
    "CANCELLED": Cancelled,
}


def from_status(status: status_pb2.Status) -> GenzoError:
    """The exception for a google.rpc.Status."""
    code = code_pb2.Code.Name(status.code) if status.code in range(17) else ""
    reason = ""
    metadata: dict[str, str] = {}
    fields: list[FieldViolation] = []
    retry_after = None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            fields += [
                FieldViolation(v.field, v.description)
                for v in bad.field_violations
            ]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    kind = _CLASSES.get(code, GenzoError)
    if reason == "DEADLINE_UNREACHABLE":
        kind = TimedOut
    return kind(
        status.message,
        code=code or "UNKNOWN",
        reason=reason,
        fields=fields,
        retry_after=retry_after,
        metadata=metadata,
    )


def withheld(findings: Iterable[str]) -> GenzoError:
    """The exception for a job that succeeded and whose images the server's
    policy keeps back; `findings` is what its safety checker found in them."""
    found = ", ".join(sorted(set(findings)))
    return GenzoError(
        f"the server's policy withheld what was painted: {found}",
        reason="CONTENT_POLICY_VIOLATION",
    )


def from_rpc(error: grpc.RpcError, server: str) -> GenzoError:
    """The exception for a call that ended with `error`."""
    trailing: Any = error.trailing_metadata() or ()
    for key, value in trailing:
        if key == _DETAILS and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    code: grpc.StatusCode = error.code()
    text = error.details() or code.name
    if code is grpc.StatusCode.UNAVAILABLE:
        text = f"no Genzo server answers at {server} ({text})"
    return _CLASSES.get(code.name, GenzoError)(text, code=code.name)
