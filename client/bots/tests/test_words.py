"""What people are told when there is no picture."""

from __future__ import annotations

import pytest

import genzo
from genzo_bots import words

_AWAY = "The server cannot be reached. Try again later."


@pytest.mark.parametrize(
    ("code", "reason", "retry_after", "text"),
    [
        ("UNAVAILABLE", "QUEUE_FULL", 7.0, "is full. Try again in 7 s."),
        ("RESOURCE_EXHAUSTED", "TOO_MANY_STREAMS", None, "again in 30 s."),
        ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", 90.0, "again in 90 s."),
        ("UNAVAILABLE", "", None, _AWAY),
        ("UNAVAILABLE", "MODEL_LOADING", 5.0, "did not work out: why"),
        ("RESOURCE_EXHAUSTED", "READER_TOO_SLOW", None, "work out: why"),
        ("RESOURCE_EXHAUSTED", "", None, "did not work out: why"),
    ],
)
def test_says_why_there_is_no_picture_now(
    code: str, reason: str, retry_after: float | None, text: str
) -> None:
    fault = genzo.Unavailable(
        "why", code=code, reason=reason, retry_after=retry_after
    )
    assert words.error("en", fault).endswith(text)


def test_says_in_japanese_that_the_server_is_away() -> None:
    fault = genzo.Unavailable("why", code="UNAVAILABLE")
    assert words.error("ja", fault) == (
        "サーバーに接続できません。しばらくしてからお試しください。"
    )


def test_a_deadline_that_cannot_be_kept_is_said_as_it_is() -> None:
    fault = genzo.TimedOut(
        "it would take 90 s",
        code="RESOURCE_EXHAUSTED",
        reason="DEADLINE_UNREACHABLE",
        retry_after=5,
    )
    assert words.error("en", fault) == "It did not work out: it would take 90 s"
