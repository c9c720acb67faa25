"""Jobs as the server keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.protobuf import timestamp_pb2

from genzo import errors
from genzo.v1 import image_generation_pb2, types_pb2
from genzo.v1 import jobs_pb2 as pb


@dataclass(frozen=True)
class JobInfo:
    """A job as it was when the server was asked. `proto` has everything."""

    # "" if it was only validated.
    id: str
    # "queued", "running", "succeeded", "failed", "cancelled" or "expired".
    state: str
    request_id: str
    # Why it did not succeed.
    error: errors.GenzoError | None
    created: datetime | None
    ended: datetime | None
    # Until when its results are kept at most.
    expires: datetime | None
    # Rows of the denoiser times megapixels times steps.
    cost: float
    time_left: timedelta | None
    position: int
    steps_done: int
    steps_total: int
    images_done: int
    images_failed: int
    # Without the bytes of its pictures.
    resolved: image_generation_pb2.GenerateRequest = field(repr=False)
    proto: pb.Job = field(repr=False, compare=False)


def _state_name(state: types_pb2.JobState) -> str:
    known = {number: name for name, number in types_pb2.JobState.items()}
    return known.get(state, "unknown").removeprefix("JOB_STATE_").lower()


def job_info(job: pb.Job) -> JobInfo:
    """`job` in this module's words."""

    def at(name: str) -> datetime | None:
        if not job.HasField(name):
            return None
        value: timestamp_pb2.Timestamp = getattr(job, name)
        return value.ToDatetime(tzinfo=UTC)

    return JobInfo(
        id=job.id,
        state=_state_name(job.state),
        request_id=job.request_id,
        error=errors.from_status(job.status)
        if job.HasField("status")
        else None,
        created=at("create_time"),
        ended=at("end_time"),
        expires=at("expire_time"),
        cost=job.cost,
        time_left=job.time_left.ToTimedelta()
        if job.HasField("time_left")
        else None,
        position=job.position,
        steps_done=job.steps_done,
        steps_total=job.steps_total,
        images_done=job.images_done,
        images_failed=job.images_failed,
        resolved=job.resolved,
        proto=job,
    )


def list_request(
    page_token: str, states: tuple[str, ...]
) -> pb.ListJobsRequest:
    """ValueError for a state that there is none of."""
    names = [f"JOB_STATE_{state.upper()}" for state in states]
    for state, name in zip(states, names, strict=True):
        if name not in dict(types_pb2.JobState.items()):
            raise ValueError(f"{state!r} is no state of a job")
    return pb.ListJobsRequest(page_token=page_token, states=names)
