"""What a scrape of `/metrics` says."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """The samples of one scrape: name, labels, value."""

    samples: tuple[tuple[str, dict[str, str], float], ...]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name with these labels; 0 if there is none."""
        return sum(value for found, given, value in self.samples if found == name and labels.items() <= given.items())

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
    families = text_string_to_metric_families(text)
    return Scrape(tuple((each.name, each.labels, each.value) for family in families for each in family.samples))
