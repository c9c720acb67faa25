"""What people have ordered and not been given yet, in a file that outlives the
bot: after a restart every job is found again."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
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
  ordered REAL NOT NULL      -- seconds since 1970
)
"""
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

    @property
    def id(self) -> str:
        """A UUID, the request's own."""
        return self.request.request_id


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

    def close_order(self, order_id: str) -> None:
        """It has been answered, one way or the other."""
        with self._db:
            self._db.execute(
                "UPDATE orders SET delivered = 1 WHERE id = ?", (order_id,)
            )

    def find(self, order_id: str) -> Order | None:
        """Any order of the last day."""
        return next(self._select("id = ?", order_id), None)

    def open_orders(self, service: str) -> list[Order]:
        """Those that have had no answer, oldest first."""
        return list(self._select("delivered = 0 AND service = ?", service))

    def _select(self, where: str, *values: str) -> Iterator[Order]:
        query = (
            "SELECT service, user, language, address, request FROM orders"
            f" WHERE {where} ORDER BY ordered"
        )
        with closing(self._db.execute(query, values)) as rows:
            for service, user, language, address, request in rows:
                yield Order(
                    service,
                    user,
                    language,
                    pb.GenerateRequest.FromString(request),
                    json.loads(address),
                )

    def close(self) -> None:
        self._db.close()
