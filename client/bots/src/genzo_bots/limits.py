"""How much one person may ask for."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from genzo_bots import words

HOUR = 3600.0  # seconds


class Refused(Exception):
    """An order that is not taken. Its text is for the person who gave it."""


@dataclass(frozen=True)
class Limits:
    """Of one person: orders under way at once, and pictures drawn for them in
    an hour."""

    running: int = 2
    hourly: int = 60


@dataclass(frozen=True)
class Entry:
    """An order of the last hour."""

    when: float
    pictures: int


class Ledger:
    """Counts orders by person. For one thread."""

    def __init__(
        self, limits: Limits, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._now = now
        self._running: dict[str, int] = defaultdict(int)
        self._past: dict[str, deque[Entry]] = defaultdict(deque)

    def begin(self, user: str, language: str, pictures: int = 1) -> Entry:
        """Counts one more, for which so many are drawn. Refused says which
        limit it would pass."""
        if self._running[user] >= self._limits.running:
            raise Refused(
                words.say(
                    language,
                    "running",
                    self._running[user],
                    self._limits.running,
                )
            )
        entry = Entry(self._now(), pictures)
        past = self._past[user]
        while past and past[0].when <= entry.when - HOUR:
            past.popleft()
        hourly = self._limits.hourly
        if pictures > hourly:
            raise Refused(words.say(language, "too_many", pictures, hourly))
        over = pictures + sum(each.pictures for each in past) - hourly
        if over > 0:
            minutes = (_when_fewer(past, over) + HOUR - entry.when) / 60
            raise Refused(
                words.say(language, "hourly", hourly, max(1, round(minutes)))
            )
        past.append(entry)
        self._running[user] += 1
        return entry

    def take_back(self, user: str, entry: Entry) -> None:
        """Uncounts what `begin` has counted."""
        self._past[user].remove(entry)
        self.end(user)

    def remember(self, user: str, seconds_ago: float, pictures: int) -> None:
        """Counts one that was given before a restart, in the hour in which it
        was. The oldest comes first."""
        self._past[user].append(Entry(self._now() - seconds_ago, pictures))

    def found_again(self, user: str) -> None:
        """Counts one of before a restart: it was within the limits then."""
        self._running[user] += 1

    def end(self, user: str) -> None:
        self._running[user] -= 1
        if self._running[user] <= 0:
            del self._running[user]


def _when_fewer(past: Iterable[Entry], over: int) -> float:
    """The time of the order with which so many pictures are out of the hour."""
    for entry in past:
        over -= entry.pictures
        if over <= 0:
            return entry.when
    raise ValueError(f"{over} pictures more than there are")
