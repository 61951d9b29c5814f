"""What a host remembers of its visitors, and the figures that follow from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

OPEN = float("inf")


@dataclass
class VisitLine:
    """One request: its times are those of `time.monotonic`, and its status is 0 if it was never answered."""

    path: str
    host: str
    began: float
    under_way: int
    status: int = 0
    ended: float = OPEN


@dataclass
class VisitLog:
    """All requests of a host in order, and the number of connections it accepted and of those it reset at once."""

    lines: list[VisitLine] = field(default_factory=list)
    connections: int = 0
    resets: int = 0

    @property
    def attempts(self) -> int:
        """All requests, with the connections that were reset before one could be sent."""
        return len(self.lines) + self.resets

    @property
    def served(self) -> list[VisitLine]:
        """The requests that were answered 200 or 206."""
        return [line for line in self.lines if line.status in {200, 206}]

    @property
    def refused(self) -> int:
        """The attempts that were answered otherwise, reset, or not answered."""
        return self.attempts - len(self.served)

    @property
    def statuses(self) -> Counter[int]:
        """The number of requests by status."""
        return Counter(line.status for line in self.lines)

    @property
    def paths(self) -> Counter[str]:
        """The number of requests by path with query."""
        return Counter(line.path for line in self.lines)

    @property
    def most_at_once(self) -> int:
        """The most requests that were under way at a time."""
        return max((line.under_way for line in self.lines), default=0)

    def seconds_served(self) -> float:
        """From the first request to the last served answer."""
        ends = [line.ended for line in self.served]
        return max(ends) - self.lines[0].began if ends else 0.0

    def by_second(self) -> list[tuple[int, int, int]]:
        """For each second since the first request: requests that began, those of them served, most under way."""
        if not self.lines:
            return []
        first = self.lines[0].began
        seconds: dict[int, list[VisitLine]] = {}
        for line in self.lines:
            seconds.setdefault(int(line.began - first), []).append(line)
        rows = (seconds.get(second, []) for second in range(max(seconds) + 1))
        return [
            (len(row), sum(line.status == 200 for line in row), max((line.under_way for line in row), default=0))
            for row in rows
        ]
