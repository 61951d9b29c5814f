"""The names and headers of the files that callers download."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from imgproc.pipeline.storage.downloads import attachment, name_after


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("spring.csv", "spring-output.csv"),
        ("Spring 2026.CSV", "Spring 2026-output.csv"),
        ("spring.xlsx", "spring-output.csv"),
        ("spring.csv.gz", "spring-output.csv"),
        ("spring.csv (1)", "spring (1)-output.csv"),
        ("spring(1).csv", "spring(1)-output.csv"),
        ("v1.2.csv", "v1.2-output.csv"),
        ("no-extension", "no-extension-output.csv"),
        ("export.csv?x=1", "export.csv-x=1-output.csv"),
        ("Frühling.csv", "Frühling-output.csv"),
        ("春.csv", "春-output.csv"),
        (".csv", "output.csv"),
        ("", "output.csv"),
        ("..", "output.csv"),
        ("../../etc/passwd", "etc-passwd-output.csv"),
        ("con.csv", "_con-output.csv"),
        ('a"; filename="b.exe', "a- filename=-b.exe-output.csv"),
        ("a\r\nSet-Cookie: x.csv", "a Set-Cookie- x-output.csv"),
        ("\u202egnp.csv", "gnp-output.csv"),
        ("x" * 500 + ".csv", "x" * 100 + "-output.csv"),
    ],
)
def test_a_made_file_is_named_after_the_upload(filename: str, name: str) -> None:
    """The name is one that every system keeps, and the kind of the made file is its extension."""
    assert re.sub(" +", " ", name_after(filename, "output.csv")) == name


@given(st.text(max_size=300))
def test_the_header_names_the_file_and_nothing_else(filename: str) -> None:
    """For any name the header is ASCII, on one line, and reads back as the name."""
    name = name_after(filename, "output.csv")
    header = attachment(name)
    assert header.isascii()
    assert header.isprintable()
    kind, options = parse_options_header(header)
    assert (kind, set(options)) == ("attachment", {"filename"})
    assert options["filename"] == name
    assert not re.search(r"[/\\\0]", name)


def test_a_name_beyond_ascii_is_given_in_both_ways() -> None:
    """RFC 6266: old clients read `filename`, others `filename*`."""
    expected = "attachment; filename=\"Fruhling-output.csv\"; filename*=UTF-8''Fr%C3%BChling-output.csv"
    assert attachment("Frühling-output.csv") == expected
