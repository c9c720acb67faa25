"""What both clients tell gRPC about a server."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, TypedDict

import grpc

DEFAULT_SERVER = "127.0.0.1:50051"


class ConnectionOptions(TypedDict, total=False):
    """What a client takes besides the server's address."""

    # Sent as `authorization: Bearer`.
    key: str
    # Whose share of the server's time is used; see `x-genzo-tenant`.
    tenant: str
    # Encrypt, with the certificates that this machine trusts.
    tls: bool
    # Encrypt as these say; implies `tls`.
    credentials: grpc.ChannelCredentials


def service_config() -> str:
    """Which calls gRPC tries again, how often and how fast; JSON."""
    return (files("genzo.v1") / "service_config.json").read_text("utf-8")


def channel_options() -> list[tuple[str, Any]]:
    """A request with its picture is kept for its retries; a dead connection is
    found within a minute, and a server that is started again in seconds."""
    return [
        ("grpc.service_config", service_config()),
        ("grpc.per_rpc_retry_buffer_size", 32 << 20),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
    ]


def address(server: str) -> str:
    """`server` as gRPC takes it. ValueError for what a browser would."""
    if server.startswith(("http://", "https://")):
        raise ValueError(
            f"server {server!r} is no host:port; leave http:// away"
        )
    return server


def metadata(options: ConnectionOptions) -> list[tuple[str, str]]:
    """What every call says about its caller."""
    found = []
    if key := options.get("key"):
        found.append(("authorization", f"Bearer {key}"))
    if tenant := options.get("tenant"):
        found.append(("x-genzo-tenant", tenant))
    return found


def credentials(
    options: ConnectionOptions,
) -> grpc.ChannelCredentials | None:
    """None for a connection in the clear."""
    given = options.get("credentials")
    if given is None and options.get("tls"):
        return grpc.ssl_channel_credentials()
    return given
