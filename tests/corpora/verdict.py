"""Compares our picture with a judge's: each file becomes a kind of agreement or disagreement."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from imgproc.core.errors import CompressError
from tests.corpora.shown import GRID, Shown, difference, drawing_grid

AGREED, ON_PURPOSE = "agreed", "on purpose"


@dataclass(frozen=True)
class Verdict:
    """One file: its group, the details, and both pictures where there are any."""

    file: Path
    group: str
    detail: str = ""
    ours: Shown | None = None
    theirs: Shown | None = None


def judge(
    file: Path,
    kind: str,
    judge_name: str,
    ours: Shown | CompressError,
    theirs: Shown | None,
    *,
    purpose: Callable[[], str | None] = lambda: None,
) -> Verdict:
    """Compare what we made of a file with what the judge shows of it; `purpose` is asked why they may differ.

    Only disagreements keep their pictures, which take memory.

    A picture that the judge shows in part is right if we refuse it, and a picture that the judge does not show is no
    disagreement: our decoders may read more.
    """
    verdict = _compare(file, kind, judge_name, ours, theirs)
    reason = None if verdict.group == AGREED else purpose()
    if reason:
        verdict = replace(verdict, group=ON_PURPOSE, detail=reason)
    return replace(verdict, ours=None, theirs=None) if verdict.group in {AGREED, ON_PURPOSE} else verdict


def second_opinion(verdict: Verdict, kind: str, ours: Shown | CompressError, opinion: Shown | None) -> Verdict:
    """Say what sharp shows: where we agree with the judge, if it differs, and elsewhere, if it is the same."""
    if isinstance(ours, CompressError):
        is_same = opinion is None
    else:
        is_same = opinion is not None and not _differs(kind, ours, opinion)
    if is_same == (verdict.group == AGREED):
        return verdict
    if is_same:
        said = "sharp as we do"
    elif opinion is None:
        said = "sharp does not show it"
    else:
        said = "sharp shows it" if isinstance(ours, CompressError) else "unlike sharp"
    if verdict.group in {AGREED, ON_PURPOSE}:
        return replace(verdict, detail=f"{verdict.detail}; {said}")
    return replace(verdict, group=f"{verdict.group}; {said}")


def _differs(kind: str, ours: Shown, theirs: Shown) -> str | None:
    return difference(ours, theirs, grid=drawing_grid(theirs.size) if kind == "svg" else GRID)


def _compare(file: Path, kind: str, judge_name: str, ours: Shown | CompressError, theirs: Shown | None) -> Verdict:
    if isinstance(ours, CompressError):
        if theirs is None or not theirs.is_whole:
            return Verdict(file, AGREED, f"{kind}: both refuse it ({ours.code})", theirs=theirs)
        return Verdict(
            file, f"{kind}: {judge_name} shows it whole, we refuse it: {_stem(ours)}", ours.detail, None, theirs
        )
    if theirs is None:
        return Verdict(file, AGREED, f"{kind}: {judge_name} does not show it, we do", ours)
    if not theirs.is_whole:
        return Verdict(file, f"{kind}: {judge_name} shows a part, we took it as whole", "", ours, theirs)
    if differs := _differs(kind, ours, theirs):
        return Verdict(file, f"{kind}: looks different from {judge_name}", differs, ours, theirs)
    return Verdict(file, AGREED, f"{kind}: same as {judge_name}", ours, theirs)


def _stem(error: CompressError) -> str:
    """The code and the sentence without what differs from file to file."""
    return f"{error.code}, {re.sub(r'[0-9][0-9,.]*', 'N', error.detail)[:100]}"
