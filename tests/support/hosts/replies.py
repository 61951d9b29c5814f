"""A request as a host sees it, its reply, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class Asked:
    """One request: `at` is the time of `time.monotonic`, `under_way` counts all requests of the host with this one."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    under_way: int


class End(Enum):
    """What the host does after the head of a reply."""

    SEND = "send"  # the body, and keep the connection
    CLOSE = "close"  # send the body, then close
    SILENT = "silent"  # send nothing at all, not even the head
    HANG = "hang"  # send the head and half of the body, then nothing
    DRIP = "drip"  # send the body in small pieces with pauses
    RESET = "reset"  # send the head and half of the body, then a TCP reset


@dataclass(frozen=True)
class Reply:
    """The answer to one request, sent after `delay` seconds. For `End.DRIP`: `piece` bytes every `pause` seconds."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    end: End = End.SEND
    piece: int = 1
    pause: float = 0.1


# A rule gets a request and the reply so far, and returns the reply to send. The first that refuses is the last asked.
Rule = Callable[[Asked, Reply], Reply]
Content = Callable[[Asked], Reply]


def always(body: bytes, *, content_type: str = "image/jpeg") -> Content:
    """The same body for every request."""
    reply = Reply(body=body, headers={"Content-Type": content_type})
    return lambda _asked: reply


def head_of(reply: Reply) -> bytes:
    """The status line and the headers, as a server sends them."""
    headers = {**reply.headers, "Content-Length": str(len(reply.body))}
    if reply.end is End.CLOSE:
        headers["Connection"] = "close"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} {'OK' if reply.status == 200 else 'No'}\r\n{lines}\r\n".encode("latin-1")
