"""`make corpora DIR=…`: every picture of a folder, as we make it beside how Chromium, libvips and sharp show it.

Chromium judges the kinds that it shows, and libvips the others. sharp is a second opinion, and judges what libvips
does not read.
Disagreements are grouped by kind; each group gets a contact sheet. The exit code is 0 only if there is none.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import track

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.formats import identify
from tests.corpora import sharp, us, vips
from tests.corpora.chromium import TYPES, Chromium, chromium, missing
from tests.corpora.purpose import purpose
from tests.corpora.sheets import draw
from tests.corpora.verdict import AGREED, ON_PURPOSE, Verdict, judge, second_opinion

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
    if reason := sharp.missing():
        console.print(reason)
    with chromium() as browser, nullcontext() if reason else sharp.sharp() as second:
        verdicts = [_verdict(browser, second, path) for path in track(files, "judging", console=console)]
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in filter(None, verdicts):
        groups[verdict.group].append(verdict)
    disagreements = _report(groups, given.out)
    return 1 if disagreements else 0


def _verdict(browser: Chromium, second: sharp.Sharp | None, path: Path) -> Verdict | None:
    """The verdict over one file; None if neither we nor a judge take it for a picture."""
    body = path.read_bytes()
    kind = _kind(body, path)
    ours = us.show(body)
    name, theirs = ("Chromium", browser.show(body, kind)) if kind in TYPES else ("libvips", vips.show(body))
    opinion = second.show(path) if second else None
    if kind not in TYPES and theirs is None:
        name, theirs = ("sharp", opinion) if opinion else (name, None)
        if theirs is None and isinstance(ours, CompressError):
            return None
    refusal = ours if isinstance(ours, CompressError) else None
    verdict = judge(path, kind, name, ours, theirs, purpose=lambda: purpose(body, kind, refusal))
    is_asked = second and name != "sharp" and (theirs or opinion)
    return second_opinion(verdict, kind, ours, opinion) if is_asked else verdict


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
