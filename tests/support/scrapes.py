"""What a scrape of `/metrics` says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from prometheus_client.parser import text_string_to_metric_families

Samples = tuple[tuple[str, dict[str, str], float], ...]  # name, labels, value


@dataclass(frozen=True)
class Scrape:
    """The text of one scrape."""

    text: str

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name with these labels; 0 if there is none.

        Only their lines are parsed, because parsing all took most of the time of a test.
        """
        samples = _read(line for line in self.text.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
        return sum(value for _, given, value in samples if labels.items() <= given.items())

    @cached_property
    def samples(self) -> Samples:
        """All samples."""
        return _read(self.text.splitlines())

    def totals(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every counter and count of a histogram, by its name and labels."""
        return {
            (name, tuple(sorted(labels.items()))): value
            for name, labels, value in self.samples
            if name.endswith(("_total", "_count"))
        }

    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _, _ in self.samples}


def parse(text: str) -> Scrape:
    """Read the text that Prometheus would."""
    return Scrape(text)


def _read(lines: Iterable[str]) -> Samples:
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    return tuple((each.name, each.labels, each.value) for family in families for each in family.samples)
