"""Rules for hosts that are busy, broken, away, silent or slow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.support.hosts.replies import Asked, End, Reply, Rule


def most_at_once(most: int, *, status: int = 503) -> Rule:
    """So many requests under way, as nginx's `limit_conn`; idle connections do not count."""
    return lambda asked, reply: reply if asked.under_way <= most else Reply(status)


def always_answers(status: int, **headers: str) -> Rule:
    """The same status for everything, with headers such as `Retry_After`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _asked, _reply: Reply(status, headers=named)


def one_broken(text: str, *, status: int = 503) -> Rule:
    """One URL answers with `status` always: the one whose path holds `text`."""
    return lambda asked, reply: Reply(status) if text in asked.path else reply


def silent(_asked: Asked, reply: Reply) -> Reply:
    """Accept the request and never answer."""
    return replace(reply, end=End.SILENT)


def hangs(_asked: Asked, reply: Reply) -> Reply:
    """Send the head and half of the body, then nothing more."""
    return replace(reply, end=End.HANG)


def resets(_asked: Asked, reply: Reply) -> Reply:
    """Send the head and half of the body, then reset the connection."""
    return replace(reply, end=End.RESET)


def closes(_asked: Asked, reply: Reply) -> Reply:
    """Close the connection after each answer, as servers without keep-alive do."""
    return replace(reply, end=End.CLOSE)


def drips(piece: int, pause: float) -> Rule:
    """Send the body in pieces of so many bytes, with a pause (seconds) after each."""
    return lambda _asked, reply: replace(reply, end=End.DRIP, piece=piece, pause=pause)


def slow(seconds: float) -> Rule:
    """Answer so much later."""
    return lambda _asked, reply: replace(reply, delay=reply.delay + seconds)


@dataclass
class Away:
    """Answers everything with `trouble` for `seconds`, which begin after the first `after` requests."""

    after: int
    seconds: float
    trouble: Reply = field(default_factory=lambda: Reply(503))
    _seen: int = 0
    _until: float = 0.0

    def __call__(self, asked: Asked, reply: Reply) -> Reply:
        """Answer, or be away."""
        self._seen += 1
        if self._seen == self.after + 1:
            self._until = asked.at + self.seconds
        return self.trouble if asked.at < self._until else reply


@dataclass
class Sometimes:
    """Another rule, on or off; faults switch it while a run goes on."""

    rule: Rule
    on: bool = False

    def __call__(self, asked: Asked, reply: Reply) -> Reply:
        """The rule's reply if it is on."""
        return self.rule(asked, reply) if self.on else reply
