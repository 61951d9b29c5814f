"""Catalogue files of every kind: read as their author meant them, or refused with a remedy. Never wrong in silence."""

from __future__ import annotations

import pytest

from tests.unit.table import (
    column_cases,
    header_cases,
    language_cases,
    layout_cases,
    notation_cases,
    own_shop_cases,
    platform_cases,
    quote_cases,
    row_cases,
    shop_cases,
    url_cases,
)
from tests.unit.table.case import Case, outcome

TABLES = (shop_cases, own_shop_cases, language_cases, header_cases, row_cases, quote_cases, url_cases, column_cases)
MORE = (layout_cases, notation_cases, platform_cases)
CASES = {f"{name}": case for table in (*TABLES, *MORE) for name, case in table.CASES.items()}


def test_no_case_hides_another() -> None:
    """Names are unique over all tables."""
    assert sum(len(table.CASES) for table in (*TABLES, *MORE)) == len(CASES)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_reads_a_file_as_its_author_meant_it_or_refuses_it(case: Case) -> None:
    """The products and notes are those of the table, or the refusal names the line and the remedy."""
    found = outcome(case.text)
    if case.products:
        assert (found.faults, found.products) == ((), case.products)
        assert found.notes == case.notes
    else:
        assert found.faults, found.products
        line, detail = found.faults[0]
        assert line == case.line, detail
        assert all(word.lower() in detail.lower() for word in case.words), detail
