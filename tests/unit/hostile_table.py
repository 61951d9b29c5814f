"""Tries every hostile image in every format, scale and quality: `python -m tests.unit.hostile_table` takes hours.

It prints a line of JSON for each, then the worst of each format, scale and quality as rows of
docs/explanation/security.md. Arguments are prefixes of case names; without any it tries all cases. `--only OPTIONS`,
as the first argument, tries only the options in a JSON list.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from imgproc.core.config import load_settings
from tests.unit.hostile_images import CASES, made, measure, warm

MEGABYTE = 10**6
BEYOND, SECONDS = 500 * MEGABYTE, 10.0  # limits of an image: memory beyond an idle worker's, and CPU seconds
FORMATS = ("avif", "webp", "png", "jpeg", "keep")
SCALES = (1, 0.75, 0.5, 0.001)
QUALITIES = ("smart", 95, 50, 1)


def combinations() -> Iterator[dict[str, Any]]:
    """The combinations that differ: PNG has no quality, and `keep` differs from other formats only with `smart`."""
    for scale in SCALES:
        for quality in QUALITIES:
            for image_format in FORMATS:
                if (
                    image_format in {"avif", "webp", "jpeg"}
                    or quality == "smart"
                    or (image_format, quality) == ("png", 95)
                ):
                    yield {"format": image_format, "scale": scale, "quality": quality}


def main(names: list[str], tried: list[dict[str, Any]]) -> int:
    """Print each outcome, then the worst ones; return the number that exceed the limits."""
    warm()
    limit = load_settings({}).worker_memory_limit
    worst: dict[tuple[Any, ...], list[tuple[float, str]]] = {}
    over = 0
    for name in CASES:
        if names and not name.startswith(tuple(names)):
            continue
        source = made(name)
        for options in tried:
            measured = measure(source, limit=limit, **options)
            say(json.dumps({"name": name} | options | measured))
            over += is_over(measured)
            figures = [(measured["beyond"], name), (measured["seconds"], name)]
            key = tuple(options.values())
            worst[key] = [max(pair) for pair in zip(worst.get(key, figures), figures, strict=True)]
    say("| format | scale | quality | most memory, MB | image | most CPU, s | image |")
    say("|---|---|---|---|---|---|---|")
    for key, ((memory, large), (seconds, slow)) in worst.items():
        cells = map(str, [*key, round(memory / MEGABYTE), large, round(seconds, 1), slow])
        say(f"| {' | '.join(cells)} |")
    return over


def say(line: str) -> None:
    """Print a line and flush it, because forked children would print the buffer again."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def is_over(measured: dict[str, Any]) -> bool:
    """Whether an image killed its process or exceeded a limit."""
    died = str(measured["outcome"]).startswith("died")
    return died or bool(measured["beyond"] > BEYOND or measured["seconds"] > SECONDS)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    only = json.loads(arguments[1]) if arguments[:1] == ["--only"] else None
    sys.exit(bool(main(arguments[2:] if only else arguments, only or list(combinations()))))
