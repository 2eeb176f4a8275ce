"""Frames of HTTP/2 as a client would never send them."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
CANCEL = struct.pack(">I", 8)
HELLO = PREFACE + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0))  # settings of none


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def get(path: str, authority: str = "mien") -> bytes:
    """The headers of a GET, in the plainest form that HPACK has."""
    return b"\x82\x86" + _field(4, path) + _field(1, authority)


def call(path: str, authority: str = "mien") -> bytes:
    """The headers of a gRPC call."""
    kind = b"\x0f\x10" + _text("application/grpc")  # the 31st name of HPACK's table
    return (
        b"\x83\x86"
        + _field(4, path)
        + _field(1, authority)
        + kind
        + b"\x00"
        + _text("te")
        + _text("trailers")
    )


def _field(name: int, value: str) -> bytes:
    return bytes((name,)) + _text(value)


def _text(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()
