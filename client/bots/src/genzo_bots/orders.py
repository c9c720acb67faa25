"""What people have ordered and not been given yet, in a file that outlives the
bot: after a restart every job is found again."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genzo.v1 import image_generation_pb2 as pb

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
  id TEXT PRIMARY KEY,       -- the request's request_id
  service TEXT NOT NULL,
  user TEXT NOT NULL,
  language TEXT NOT NULL,
  address TEXT NOT NULL,     -- JSON: where its answer goes
  request BLOB NOT NULL,     -- GenerateRequest
  delivered INTEGER NOT NULL DEFAULT 0,
  ordered REAL NOT NULL,     -- seconds since 1970
  seeds TEXT NOT NULL DEFAULT '[]'  -- JSON: of the pictures that came of it
)
"""
# For a file that was made without them.
_SEEDS = "ALTER TABLE orders ADD COLUMN seeds TEXT NOT NULL DEFAULT '[]'"
_KEPT_SECONDS = 86_400  # as long as the server re-attaches a request_id


@dataclass(frozen=True)
class Order:
    """One person's wish. `address` is the service's own: whatever a canvas
    needs to find its message again."""

    service: str
    user: str
    language: str
    request: pb.GenerateRequest = field(default_factory=pb.GenerateRequest)
    address: dict[str, Any] = field(default_factory=dict)
    # Of its finished pictures, as they were delivered; empty before that.
    seeds: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """A UUID, the request's own."""
        return self.request.request_id

    @property
    def pictures(self) -> int:
        """How many are drawn for it, sent or not."""
        return max(1, self.request.image_count, self.request.best_of.draw)

    @property
    def enlarges(self) -> bool:
        """Whether the picture in its request is made larger, `hires.factor`
        times by `hires.upscaler`, and nothing is painted."""
        of = self.request
        return (
            of.HasField("image_to_image")
            and of.hires.upscale == pb.HiresPass.UPSCALE_NETWORK
        )

    def made(self, seeds: Iterable[int]) -> str:
        """What its pictures were made by, for a caption."""
        if self.enlarges:
            return f"×{self.request.hires.factor:g}"
        return "seed " + ", ".join(map(str, seeds))


def request_id_of(service: str, event: str) -> str:
    """The request's id from that of the event which asked for it: what a
    service tells twice is painted once."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{service}:{event}"))


class Orders:
    """The file. For one thread."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(_SCHEMA)
        with suppress(sqlite3.OperationalError):  # it has them
            self._db.execute(_SEEDS)
        self._db.commit()

    def add(self, order: Order) -> None:
        """Keeps a new order, and forgets those of yesterday."""
        now = time.time()
        with self._db:
            self._db.execute(
                "DELETE FROM orders WHERE ordered < ?", (now - _KEPT_SECONDS,)
            )
            self._db.execute(
                "INSERT INTO orders"
                " (id, service, user, language, address, request, ordered)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    order.id,
                    order.service,
                    order.user,
                    order.language,
                    json.dumps(order.address),
                    order.request.SerializeToString(),
                    now,
                ),
            )

    def move(self, order: Order) -> None:
        """Keeps an order's changed address."""
        with self._db:
            self._db.execute(
                "UPDATE orders SET address = ? WHERE id = ?",
                (json.dumps(order.address), order.id),
            )

    def keep_seeds(self, order_id: str, seeds: Iterable[int]) -> None:
        """Keeps what its pictures can be painted from again."""
        with self._db:
            self._db.execute(
                "UPDATE orders SET seeds = ? WHERE id = ?",
                (json.dumps(list(seeds)), order_id),
            )

    def remove(self, order_id: str) -> None:
        """As if it had never been given."""
        with self._db:
            self._db.execute("DELETE FROM orders WHERE id = ?", (order_id,))

    def close_order(self, order_id: str) -> None:
        """It has been answered, one way or the other."""
        with self._db:
            self._db.execute(
                "UPDATE orders SET delivered = 1 WHERE id = ?", (order_id,)
            )

    def find(self, order_id: str) -> Order | None:
        """Any order of the last day."""
        found = next(self._select("id = ?", order_id), None)
        return found and found[1]

    def open_orders(self, service: str) -> list[Order]:
        """Those that have had no answer, oldest first."""
        return [
            order
            for _, order in self._select(
                "delivered = 0 AND service = ?", service
            )
        ]

    def of_last(self, seconds: float) -> Iterator[tuple[float, Order]]:
        """Those of so many seconds, each after its age, oldest first."""
        now = time.time()
        for ordered, order in self._select("ordered > ?", now - seconds):
            yield max(0.0, now - ordered), order

    def _select(
        self, where: str, *values: str | float
    ) -> Iterator[tuple[float, Order]]:
        query = (
            "SELECT ordered, service, user, language, request, address, seeds"
            f" FROM orders WHERE {where} ORDER BY ordered"
        )
        with closing(self._db.execute(query, values)) as rows:
            for when, service, user, language, request, address, seeds in rows:
                yield (
                    when,
                    Order(
                        service,
                        user,
                        language,
                        pb.GenerateRequest.FromString(request),
                        json.loads(address),
                        tuple(json.loads(seeds)),
                    ),
                )

    def close(self) -> None:
        self._db.close()
