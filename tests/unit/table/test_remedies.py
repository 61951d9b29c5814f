"""The remedy of a refusal, followed to the letter, makes the file right."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest

from imgproc.pipeline.table.read import read_csv
from tests.unit.table.case import HEADER, HOST, LIMITS, outcome

URL = f"{HOST}1.jpg"
MUG = ("1", "Mug", (URL,))


def _quote_as_shown(text: str, detail: str) -> str:
    whole = re.findall(r'perhaps "(.*)"\.', detail)[0]
    loose = ", ?".join(map(re.escape, whole.split(",")))
    return re.sub(loose, f'"{whole}"', text, count=1)


def _rename(text: str, detail: str) -> str:
    found, wanted = re.findall(r"rename '([^']+)' to '([^']+)'", detail)[0]
    return text.replace(found, wanted, 1)


def _add(prefix: str) -> Callable[[str, str], str]:
    def follow(text: str, detail: str) -> str:
        item = re.findall(r"\('([^']*)'\)", detail)[0]
        return text.replace(item, f"{prefix}{item}", 1)

    return follow


def _leave_out(text: str, detail: str) -> str:
    return text.replace(re.findall(r"\('([^']*)'\)", detail)[0], "", 1)


def _remove_line(text: str, detail: str) -> str:
    assert "remove" in detail
    return "\n".join(text.splitlines()[:-1]) + "\n"


def _move_below(text: str, detail: str) -> str:
    lines = text.splitlines()
    lines.insert(int(re.findall(r"below line (\d+)", detail)[0]), lines.pop())
    return "\n".join(lines) + "\n"


def _double(text: str, detail: str) -> str:
    assert "write a quote inside it twice" in detail
    return re.sub(r'(?<=[^,\n])"(?=[^,\n])', '""', text)


def _remove_quote(text: str, detail: str) -> str:
    assert "or remove it" in detail
    return text.replace('"', "", 1)


def _begin_as_shown(text: str, detail: str) -> str:
    (header,) = re.findall(r"such as (.*), or rename", detail)
    return f"{header}\n{text}"


def _write_with_commas(text: str, detail: str) -> str:
    assert "write the line with commas" in detail
    return text.replace(";", ",")


def _begin_with_header(text: str, detail: str) -> str:
    assert HEADER.strip() in detail
    return HEADER + text


def _write_header_with(text: str, detail: str) -> str:
    delimiter = re.findall(r"write the header with '(.)'", detail)[0]
    head, rest = text.split("\n", 1)
    return head.replace(",", delimiter) + "\n" + rest


FAULTS: dict[str, tuple[str, Callable[[str, str], str], tuple[str, str, tuple[str, ...]]]] = {
    "a comma in a name": (f"{HEADER}1,Mug, red,{URL}\n", _quote_as_shown, ("1", "Mug,red", (URL,))),
    "a comma in a note": (f"{HEADER.strip()},Note\n1,Mug,{URL},nice, blue\n", _quote_as_shown, MUG),
    "a decimal comma": (f"S. No.,Product Name,Price,Images\n1,Mug,12,50,{URL}\n", _quote_as_shown, MUG),
    "a misspelled serial number": (f"Serail Number,Name,Image\n1,Mug,{URL}\n", _rename, MUG),
    "a misspelled name": (f"SKU,Prodct Name,Image\n1,Mug,{URL}\n", _rename, MUG),
    "no header, semicolons": (f"1;Mug;{URL}\n2;Cup;{URL}\n", _begin_as_shown, MUG),
    "a line of another delimiter": (f"{HEADER}1,Mug,{URL}\n2;Cup;{URL}\n", _write_with_commas, MUG),
    "a quote never closed": (f'{HEADER}1,"Mug,{URL}\n2,Cup,{URL}\n', _remove_quote, MUG),
    "a quote never closed at the end": (f'{HEADER}1,Mug,"{URL}\n2,Cup,{URL}\n', _remove_quote, MUG),
    "pictures of no known name": (f"SKU,Name,Full Size\n1,Mug,{URL}\n", _rename, MUG),
    "pages of no known name": ("SKU,Name,Render\n1,Mug,https://host/1\n", _rename, ("1", "Mug", ("https://host/1",))),
    "a word between pictures": (f"{HEADER}1,Mug,{URL} and {URL}\n", _leave_out, ("1", "Mug", (URL, URL))),
    "a word for no picture alone": (f"{HEADER}1,Mug,{URL}\n2,Cup,N/A\n", _remove_line, MUG),
    "no header": (f"1,Mug,{URL}\n", _begin_with_header, MUG),
    "another delimiter": (f"{HEADER}1;Mug;{URL}\n", _write_header_with, MUG),
    "slashes alone": (f"{HEADER}1,Mug,//host/1.jpg\n", _add("https:"), MUG),
    "no scheme": (f"{HEADER}1,Mug,www.host/1.jpg\n", _add("https://"), ("1", "Mug", ("https://www.host/1.jpg",))),
    "a host alone": (f"{HEADER}1,Mug,host.de/1.jpg\n", _add("https://"), ("1", "Mug", ("https://host.de/1.jpg",))),
    "a path": (f"{HEADER}1,Mug,/1.jpg\n", _add("https://host"), MUG),
    "a file name": (f"{HEADER}1,Mug,1.jpg\n", _add(HOST), MUG),
    "a word for no picture": (f'{HEADER}1,Mug,"{URL},N/A"\n', _leave_out, MUG),
    "a footer": (f"{HEADER}1,Mug,{URL}\nEnd of report\n", _remove_line, MUG),
    "a total": (f"{HEADER}1,Mug,{URL}\nTotal,,\n", _remove_line, MUG),
    "a picture apart": (
        f"{HEADER}1,Mug,{URL}\n2,Cup,{URL}\n1,Mug,{HOST}2.jpg\n",
        _move_below,
        ("1", "Mug", (URL, f"{HOST}2.jpg")),
    ),
    "an inch": (f'{HEADER}1,"Pipe 5" red",{URL}\n2,Cup,{URL}\n', _double, ("1", 'Pipe 5" red', (URL,))),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_remedy_followed_makes_the_file_right(name: str) -> None:
    """The file is refused; changed as the message says, it is read as it was meant."""
    text, follow, product = FAULTS[name]
    line, detail = outcome(text).faults[0]
    assert line
    found = outcome(follow(text, detail))
    assert found.faults == ()
    assert found.products[0] == product


def test_a_column_named_as_the_note_says_is_read() -> None:
    """The note names the heading that makes it one more column of pictures."""
    text = f"SKU,Name,Image,Datasheet\n1,Mug,{URL},{HOST}2.png\n"
    reading = read_csv(io.BytesIO(text.encode()), limits=LIMITS)
    (note,) = (note for note in reading.notes if note.code == "image_column_unread")
    wanted = re.findall(r"call it '([^']*)'", note.detail)[0]
    assert outcome(text.replace("Datasheet", wanted)).products == (("1", "Mug", (URL, f"{HOST}2.png")),)
