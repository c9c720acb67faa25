"""How much one person may ask for."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from genzo_bots import words

_HOUR = 3600.0


class Refused(Exception):
    """An order that is not taken. Its text is for the person who gave it."""


@dataclass(frozen=True)
class Limits:
    """Of one person: pictures under way at once, and orders in an hour."""

    running: int = 2
    hourly: int = 60


class Ledger:
    """Counts orders by person. For one thread."""

    def __init__(
        self, limits: Limits, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._now = now
        self._running: dict[str, int] = defaultdict(int)
        self._past: dict[str, deque[float]] = defaultdict(deque)

    def begin(self, user: str, language: str) -> None:
        """Counts one more. Refused says which limit it would pass."""
        if self._running[user] >= self._limits.running:
            raise Refused(
                words.say(
                    language,
                    "running",
                    self._running[user],
                    self._limits.running,
                )
            )
        past = self._past[user]
        while past and past[0] <= self._now() - _HOUR:
            past.popleft()
        if len(past) >= self._limits.hourly:
            minutes = (past[0] + _HOUR - self._now()) / 60
            raise Refused(
                words.say(
                    language,
                    "hourly",
                    self._limits.hourly,
                    max(1, round(minutes)),
                )
            )
        past.append(self._now())
        self._running[user] += 1

    def take_back(self, user: str) -> None:
        """Uncounts what `begin` has just counted."""
        self._past[user].pop()
        self.end(user)

    def found_again(self, user: str) -> None:
        """Counts one of before a restart: it was within the limits then."""
        self._running[user] += 1

    def end(self, user: str) -> None:
        self._running[user] -= 1
        if self._running[user] <= 0:
            del self._running[user]
