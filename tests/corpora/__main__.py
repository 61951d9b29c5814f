"""`make corpora DIR=…`: every picture of a folder, as we make it beside how Chromium or libvips shows it.

Disagreements are grouped by kind; each group gets a contact sheet. The exit code is 0 only if there is none.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.formats import identify
from tests.corpora import us, vips
from tests.corpora.chromium import TYPES, Chromium, chromium, missing
from tests.corpora.purpose import purpose
from tests.corpora.sheets import draw
from tests.corpora.verdict import AGREED, ON_PURPOSE, Verdict, judge

MOST_BYTES = 20 * 1024 * 1024
MOST_NAMED = 8  # files of a group
console = Console(highlight=False, markup=False)


def main() -> int:
    """Judge each file and report; 2 if Chromium is missing."""
    parser = argparse.ArgumentParser(prog="make corpora", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("var/corpora"), help="where the contact sheets go")
    given = parser.parse_args()
    if reason := missing():
        console.print(reason)
        return 2
    files = sorted(path for path in given.folder.rglob("*") if path.is_file() and path.stat().st_size <= MOST_BYTES)
    with chromium() as browser:
        verdicts = [_verdict(browser, path) for path in track(files, "judging", console=console)]
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in filter(None, verdicts):
        groups[verdict.group].append(verdict)
    disagreements = _report(groups, given.out)
    return 1 if disagreements else 0


def _verdict(browser: Chromium, path: Path) -> Verdict | None:
    """The verdict over one file; None if neither we nor a judge take it for a picture."""
    body = path.read_bytes()
    kind = _kind(body, path)
    ours = us.show(body)
    theirs = browser.show(body, kind) if kind in TYPES else vips.show(body)
    if kind not in TYPES and theirs is None and isinstance(ours, CompressError):
        return None
    refusal = ours if isinstance(ours, CompressError) else None
    name = "Chromium" if kind in TYPES else "libvips"
    return judge(path, kind, name, ours, theirs, purpose=lambda: purpose(body, kind, refusal))


def _kind(body: bytes, path: Path) -> str:
    try:
        return identify(body)
    except CompressError:
        suffix = path.suffix.lower().lstrip(".")
        return {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix)


def _report(groups: dict[str, list[Verdict]], out: Path) -> int:
    """Print the groups and draw their sheets; the number of those that disagree."""
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.png"):
        old.unlink()
    for group in (AGREED, ON_PURPOSE):
        for detail, count in sorted(Counter(each.detail for each in groups.pop(group, ())).items()):
            console.print(f"{count:6} {group}: {detail}")
    disagreements = sorted(((len(found), group) for group, found in groups.items()), reverse=True)
    for number, (count, group) in enumerate(disagreements, 1):
        sheet = out / f"{number:03}.png"
        draw(groups[group], sheet)
        console.print(f"{count:6} {group} -> {sheet}")
        for each in groups[group][:MOST_NAMED]:
            console.print(f"         {each.file} {each.detail}", soft_wrap=True)
    return len(disagreements)


if __name__ == "__main__":
    raise SystemExit(main())
